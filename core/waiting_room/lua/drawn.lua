-- Every entry has its number: the order holds from now on, the head comes in, and everybody is told (F1).
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6 id of the opening
-- Returns 1, or 0 when it was done before
--#include queue.lua

if redis.call('HGET', DRAW, 'opening') ~= ARGV[6] or draw_state() ~= 'frozen' then return 0 end
redis.call('HSET', DRAW, 'state', 'drawn', 'over', ARGV[6])
redis.call('UNLINK', ENTRIES, ENTRY_BEATS)
redis.call('INCR', VERSION)
told = tonumber(ARGV[6])
admit(AT_ONCE)
publish_queue(true)
return 1
