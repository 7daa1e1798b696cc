-- A user's sessions that have not expired, newest first, 100 at the most; removes entries of ended ones.
-- KEYS: index. ARGV: prefix of session keys, now.
local found, ended, from = {}, {}, 0
while #found < 100 do
  local ids = redis.call('ZREVRANGE', KEYS[1], from, from + 99)
  if #ids == 0 then
    break
  end
  from = from + 100
  for _, id in ipairs(ids) do
    local expires_at = redis.call('HGET', ARGV[1] .. id, 'expires_at')
    if not expires_at then
      ended[#ended + 1] = id
    elseif #found < 100 and tonumber(expires_at) > tonumber(ARGV[2]) then
      found[#found + 1] = { id, redis.call('HGETALL', ARGV[1] .. id) }
    end
  end
end
for _, id in ipairs(ended) do
  redis.call('ZREM', KEYS[1], id)
end
return found
