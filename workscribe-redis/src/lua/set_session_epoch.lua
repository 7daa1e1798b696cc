-- Moves a session into a new epoch, if it is there: a bare HSET would make a key that never ends.
-- KEYS: session. ARGV: epoch.
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
end
return 1
