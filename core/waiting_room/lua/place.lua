-- Where a visitor stands. Changes nothing.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6 visitor
-- Returns {'waiting' or 'active', number, ahead, waiting, active, queue version, until ms, pace, low, high, room} or
--         {'none', why: see queue.lua}
--#include queue.lua

return place_reply(ARGV[6])
