-- An opening that people gather for is one no more: its part of the sale, or its pre-queue, was taken away (F1). Nobody
-- waits for its order from here on; who gathered is told so by the sweep, and joins anew.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6 id of the opening
-- Returns 1, or 0 when people gather for another one, or for none
--#include queue.lua

local drawing = draw_state()
-- Also where the entries are frozen already: PostgreSQL, which takes the opening away, has made no order of them.
if redis.call('HGET', DRAW, 'opening') ~= ARGV[6] or (drawing ~= 'gathering' and drawing ~= 'frozen') then return 0 end
redis.call('DEL', DRAW)
-- Who has read of it a moment ago makes no entry for it again.
redis.call('HSET', DRAW, 'over', ARGV[6])
admit(AT_ONCE)
publish_queue(true)
return 1
