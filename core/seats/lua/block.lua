-- Blocks available seats, or makes blocked ones available.
-- KEYS 1 board  2 board version
-- ARGV 1 seats channel  2 from byte  3 to byte  4... ordinals
-- Returns {'ok', changed} or {'no_board'}
--#include seats.lua

if is_lost(KEYS[1], KEYS[2]) then return { 'no_board' } end
local changes = {}
for i = 4, #ARGV do
  if seat_byte(KEYS[1], ARGV[i]) == tonumber(ARGV[2]) then put_byte(KEYS[1], ARGV[i], tonumber(ARGV[3]), changes) end
end
publish_changes(KEYS[2], ARGV[1], changes)
return { 'ok', #changes }
