-- What Redis says of some seats. Changes nothing.
-- KEYS 1 board
-- ARGV 1 state key prefix  2... ordinals
-- Returns for each seat: byte (-1 without a board), state ('' when absent), TTL of the state in ms (-2 absent, -1 none)
--#include seats.lua

local reply = {}
local there = redis.call('EXISTS', KEYS[1]) == 1
for i = 2, #ARGV do
  local key = ARGV[1] .. ARGV[i]
  reply[#reply + 1] = there and seat_byte(KEYS[1], ARGV[i]) or -1
  reply[#reply + 1] = redis.call('GET', key) or ''
  reply[#reply + 1] = redis.call('PTTL', key)
end
return reply
