-- Renames a damaged key for a day: long enough to look at it, and nothing stays for ever.
-- KEYS 1 the key  2 its name from now on
-- ARGV 1 the type that it was seen to have
-- Returns 1, or 0: it is something else by now
if redis.call('TYPE', KEYS[1]).ok ~= ARGV[1] then return 0 end
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('PEXPIRE', KEYS[2], 86400000)
return 1
