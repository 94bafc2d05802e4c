-- Seats that PostgreSQL is about to say are BLOCKED: off the board at once, and out of the baskets that have them.
-- A seat that stayed in a basket would come back on sale with the end of the hold (R11). Safe to repeat.
-- KEYS 1 board  2 board version  3 holds  4 baskets  5 basket deadlines  6 active paying
-- ARGV 1 state key prefix  2 seats channel  3... ordinals
-- Returns {'ok'} or {'no_board'}
--#include seats.lua

if is_lost(KEYS[1], KEYS[2]) then return { 'no_board' } end
local free, owners, theirs = {}, {}, {}
for i = 3, #ARGV do
  local owner = take_seat(KEYS[3], KEYS[4], KEYS[5], KEYS[6], ARGV[1], ARGV[i])
  local changes = free
  if owner then
    if not theirs[owner] then
      owners[#owners + 1] = owner
      theirs[owner] = {}
    end
    changes = theirs[owner]
  end
  put_byte(KEYS[1], ARGV[i], BLOCKED, changes)
end
publish_changes(KEYS[2], ARGV[2], free)
-- By name, so that their pages hear at once what is left of the basket.
for _, owner in ipairs(owners) do publish_changes(KEYS[2], ARGV[2], theirs[owner], owner) end
return { 'ok' }
