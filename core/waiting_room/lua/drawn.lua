-- Every entry has its number: the order holds from now on, the head comes in, and everybody is told (F1).
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6 id of the opening  7, 8 names under which the entries and their beats are taken away in pages afterwards: to free
--      a million at once, even beside everything else, keeps Redis where its memory is the C library's  9 ms until they go
-- Returns 1, or 0 when it was done before
--#include queue.lua

if redis.call('HGET', DRAW, 'opening') ~= ARGV[6] or draw_state() ~= 'frozen' then return 0 end
redis.call('HSET', DRAW, 'state', 'drawn', 'over', ARGV[6])
for i, key in ipairs({ ENTRIES, ENTRY_BEATS }) do
  if redis.call('EXISTS', key) == 1 then
    redis.call('RENAME', key, ARGV[6 + i])
    redis.call('PEXPIRE', ARGV[6 + i], ARGV[9])
  end
end
redis.call('INCR', VERSION)
told = tonumber(ARGV[6])
admit(AT_ONCE)
publish_queue(true)
return 1
