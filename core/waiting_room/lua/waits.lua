-- Promised and actual waits of those who came in last, the newest first (F9). Changes nothing.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6 how many, at most
-- Returns entries as note_wait writes them
--#include queue.lua

return redis.call('LRANGE', WAITS, 0, tonumber(ARGV[6]) - 1)
