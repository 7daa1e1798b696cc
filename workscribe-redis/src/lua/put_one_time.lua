-- Adds a single-use token, unless its id was here before: taken or removed ones do not come back.
-- KEYS: token, index. ARGV: id, hash, value, ttl in ms.
-- The index maps an id to "<hash> <server time in ms after which the entry may go>".
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local entries = redis.call('HGETALL', KEYS[2])
for i = 1, #entries, 2 do
  if tonumber(string.match(entries[i + 1], ' (%d+)$')) < now then
    redis.call('HDEL', KEYS[2], entries[i])
  end
end
local ttl = tonumber(ARGV[4])
if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. string.format('%.0f', now + ttl)) == 1 then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4], 'NX')
  if redis.call('PTTL', KEYS[2]) < ttl then
    redis.call('PEXPIRE', KEYS[2], ARGV[4])
  end
end
return 1
