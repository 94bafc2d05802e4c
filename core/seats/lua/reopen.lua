-- Seats that PostgreSQL has made available again: sold ones of a cancelled reservation, or blocked ones.
-- KEYS 1 board  2 board version
-- ARGV 1 seats channel  2 the byte that they have until now: another one is newer, and stays  3... ordinals
-- Returns {'ok'} or {'no_board'}
--#include seats.lua

if is_lost(KEYS[1], KEYS[2]) then return { 'no_board' } end
local changes = {}
for i = 3, #ARGV do
  if seat_byte(KEYS[1], ARGV[i]) == tonumber(ARGV[2]) then put_byte(KEYS[1], ARGV[i], AVAILABLE, changes) end
end
publish_changes(KEYS[2], ARGV[1], changes)
return { 'ok' }
