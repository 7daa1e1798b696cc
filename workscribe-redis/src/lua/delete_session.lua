-- Ends a session of a user; 0 when there is none.
-- KEYS: session, index. ARGV: user's id, session's id.
if redis.call('HGET', KEYS[1], 'user_id') ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
