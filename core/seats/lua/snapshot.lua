-- The board and its version, read together.
-- KEYS 1 board  2 board version
-- Returns {epoch, counter, states}, or {} when there is no board
local version = redis.call('HMGET', KEYS[2], 'epoch', 'counter')
local states = redis.call('GET', KEYS[1])
if not version[1] or not states then return {} end
return { version[1], version[2], states }
