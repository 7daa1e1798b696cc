-- Ends the sessions of a user, but for one.
-- KEYS: index. ARGV: prefix of session keys, the id to keep or nothing.
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if id ~= ARGV[2] then
    redis.call('DEL', ARGV[1] .. id)
    redis.call('ZREM', KEYS[1], id)
  end
end
return 1
