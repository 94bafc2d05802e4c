-- Deletes a key that still has the value it was seen with.
-- KEYS 1 the key
-- ARGV 1 the value
-- Returns 1, or 0: it has another by now, or none
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
