-- Sold seats that PostgreSQL has made available again (a cancelled reservation).
-- KEYS 1 board  2 board version
-- ARGV 1 state key prefix  2 seats channel  3... ordinals
-- Returns {'ok'} or {'no_board'}
--#include seats.lua

if is_lost(KEYS[1], KEYS[2]) then return { 'no_board' } end
local changes = {}
for i = 3, #ARGV do
  if seat_byte(KEYS[1], ARGV[i]) == SOLD then put_byte(KEYS[1], ARGV[i], AVAILABLE, changes) end
end
publish_changes(KEYS[2], ARGV[2], changes)
return { 'ok' }
