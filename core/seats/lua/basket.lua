-- Reads a visitor's basket.
-- KEYS 1 baskets
-- ARGV 1 visitor
-- Returns {'ok', fence, until ms, extensions left, mode, ordinal...} or {'empty'}
--#include seats.lua

local basket = read_basket(KEYS[1], ARGV[1])
if not basket or #basket.seats == 0 then return { 'empty' } end
if basket.mode == 'held' and basket.till <= clock_ms() then return { 'empty' } end
return basket_reply(basket)
