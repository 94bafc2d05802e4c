-- Deletes a key that never ends; one that was taken properly meanwhile is left alone.
-- KEYS 1 the key
-- Returns 1, or 0: it ends, or is not there
if redis.call('PTTL', KEYS[1]) == -1 then return redis.call('DEL', KEYS[1]) end
return 0
