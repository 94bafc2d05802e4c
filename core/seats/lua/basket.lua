-- Reads a visitor's basket.
-- KEYS 1 baskets  2 stop  3 owed
-- ARGV 1 visitor
-- Returns {Redis' time in ms, letters of the call that changed it last or '', then 'ok', fence, until ms, extensions left,
-- mode, ordinal...; or 'empty'}
--#include seats.lua

local basket, now = read_basket(KEYS[1], ARGV[1]), clock_ms()
local shown = now - stood(KEYS[2], KEYS[3], ARGV[1], now)
if not basket or #basket.seats == 0 or (basket.mode == 'held' and basket.till <= shown) then
  return { integer(now), '', 'empty' }
end
local reply = { integer(now), basket.call }
for _, part in ipairs(basket_reply(basket)) do reply[#reply + 1] = part end
return reply
