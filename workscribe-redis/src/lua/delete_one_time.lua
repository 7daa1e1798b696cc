-- Removes a user's tokens of a purpose. The index stays until its end, so that a repeated put does not bring one back.
-- KEYS: index. ARGV: prefix of token keys.
for _, entry in ipairs(redis.call('HVALS', KEYS[1])) do
  redis.call('DEL', ARGV[1] .. string.match(entry, '^%x+'))
end
return 1
