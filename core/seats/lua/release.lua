-- Lets a visitor's held seats go: those named, or all.
-- KEYS 1 board  2 board version  3 holds  4 baskets  5 basket deadlines  6 shares  7 stop
--      8 owed
-- ARGV 1 visitor  2 state key prefix  3 seats channel
--      4 Redis' time up to which somebody waits for the answer, ms, or 0  5... ordinals; none: all
-- Returns {'ok', fence, until ms, extensions left, mode, ordinal...} with what is left, {'empty'}, {'paying'}, {'late'}
--#include seats.lua

local board, version, holds, baskets, deadlines = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local visitor, prefix, channel = ARGV[1], ARGV[2], ARGV[3]
if is_late(ARGV[4]) then return { 'late' } end
local basket = read_basket(baskets, visitor)
if not basket then return { 'empty' } end
if basket.mode == 'paying' then return { 'paying' } end
local changes, now = {}, sale_ms(KEYS[7], KEYS[8], visitor)
if #ARGV == 4 then
  free_basket(board, holds, baskets, deadlines, KEYS[6], prefix, visitor, changes, now)
  publish_changes(version, channel, changes, visitor)
  return { 'empty' }
end
local going, kept, gone = {}, {}, {}
count_held(basket, now)
for i = 5, #ARGV do going[ARGV[i]] = true end
for _, ordinal in ipairs(basket.seats) do
  if going[ordinal] then
    free_seat(board, holds, prefix, visitor, ordinal, changes)
    gone[#gone + 1] = ordinal
  else
    kept[#kept + 1] = ordinal
  end
end
basket.seats = kept
publish_changes(version, channel, changes, visitor)
if #kept == 0 then
  basket.seats = gone
  charge_basket(KEYS[6], visitor, basket, now)
  drop_basket(baskets, deadlines, visitor)
  return { 'empty' }
end
let_go(KEYS[6], visitor, basket.network, gone, now)
write_basket(baskets, deadlines, visitor, basket)
return basket_reply(basket)
