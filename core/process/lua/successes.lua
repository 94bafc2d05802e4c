-- When each periodic job has last succeeded.
-- KEYS 1 the hash of all jobs
-- Returns {Redis' time in seconds, {job, what note_success.lua wrote, job, ...}}
local now = redis.call('TIME')
return { now[1] .. '.' .. string.format('%06d', now[2]), redis.call('HGETALL', KEYS[1]) }
