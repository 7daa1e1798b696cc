-- Adds a session and its entry in the user's index; 0 when there is one with its id.
-- KEYS: session, index. ARGV: ttl in ms, created_at, id, prefix of session keys, then fields and values.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
-- The index lives as long as its longest session, so entries of ended ones are removed by samples.
for _, id in ipairs(redis.call('ZRANDMEMBER', KEYS[2], 10)) do
  if redis.call('EXISTS', ARGV[4] .. id) == 0 then
    redis.call('ZREM', KEYS[2], id)
  end
end
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
return 1
