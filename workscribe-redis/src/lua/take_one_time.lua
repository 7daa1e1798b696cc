-- Takes a single-use token that has not expired. GETDEL would also remove one that has: by the clock of one server, which
-- may be ahead of the others'.
-- KEYS: token. ARGV: now.
local value = redis.call('GET', KEYS[1])
if not value or cjson.decode(value).expires_at <= tonumber(ARGV[1]) then
  return false
end
redis.call('DEL', KEYS[1])
return value
