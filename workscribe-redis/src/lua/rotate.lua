-- Swaps a refresh token by compare-and-set; nil when the token is neither the live one nor within the grace.
-- KEYS: session. ARGV: id, presented, successor, now, grace_since, expires_at, ttl in ms, what stands before and
-- after the user's id in the key of the index. Times are whole microseconds: below 2^53, so doubles keep them.
local held = redis.call('HMGET', KEYS[1], 'refresh', 'previous', 'rotated_at', 'expires_at', 'user_id', 'created_at')
if not held[1] or tonumber(held[4]) <= tonumber(ARGV[4]) then
  return false
end
local repeated = 0
if held[1] == ARGV[2] then
  redis.call('HSET', KEYS[1], 'previous', ARGV[2], 'refresh', ARGV[3], 'rotated_at', ARGV[4])
elseif held[2] == ARGV[2] and held[1] == ARGV[3] and tonumber(held[3]) > tonumber(ARGV[5]) then
  repeated = 1
else
  return false
end
redis.call('HSET', KEYS[1], 'last_used_at', ARGV[4], 'expires_at', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
local index = ARGV[8] .. held[5] .. ARGV[9]
redis.call('ZADD', index, held[6], ARGV[1])
if redis.call('PTTL', index) < tonumber(ARGV[7]) then
  redis.call('PEXPIRE', index, ARGV[7])
end
return { repeated, redis.call('HGETALL', KEYS[1]) }
