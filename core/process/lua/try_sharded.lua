-- Whether this server knows sharded channels: an error where it does not.
-- KEYS 1 a sharded channel that nobody listens to
-- Returns how many heard it
return redis.call('SPUBLISH', KEYS[1], '')
