-- The generic cell rate algorithm, as in workscribe_core::local::gcra. Answers the theoretical arrival time before
-- this use, from which the caller derives the decision by the same rule.
-- KEYS: state. ARGV: now, step, window; microseconds, below 2^53 in sum, so doubles keep them.
local now, step, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or now) or now, now)
local following = arrival + step
if following - now <= window then
  -- A minute longer than needed, so that servers whose clocks differ a little see the same state.
  local ttl = math.ceil((following - now) / 1000) + 60000
  redis.call('SET', KEYS[1], string.format('%.0f', following), 'PX', string.format('%.0f', ttl))
end
return string.format('%.0f', arrival)
