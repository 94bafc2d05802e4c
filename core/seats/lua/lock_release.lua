-- Gives locks back, those that are still the owner's.
-- KEYS the locks
-- ARGV 1 owner token
-- Returns how many were the owner's
local freed = 0
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then freed = freed + redis.call('DEL', key) end
end
return freed
