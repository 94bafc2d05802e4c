-- The draw job looks whether the opening has come; a sale that was opened by hand is due at once (F1).
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6 id of the opening  7 its draw_at, ms  8 its state in PostgreSQL  9 base and  10 reserved, as PostgreSQL has them
--      11 patience with those who were lost, ms
-- Returns {'gathering' or 'frozen' or 'drawn', base, reserved, frozen_at ms}
--#include queue.lua

-- People gather for another one, or are being drawn: one that is still to come must not take the place of it.
local other = redis.call('HGET', DRAW, 'opening') ~= ARGV[6] and (draw_state() == 'gathering' or draw_state() == 'frozen')
if other and now < tonumber(ARGV[7]) then return { 'gathering', '0', '0', '0' } end
-- One that was drawn is over, whatever the one who asks has read of it.
if not know_opening(ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]) then
  return { 'drawn', ARGV[9], ARGV[10], integer(now) }
end
freeze_if_due()
local draw = redis.call('HMGET', DRAW, 'state', 'base', 'reserved', 'frozen_at')
return { draw[1], draw[2] or '0', draw[3] or '0', draw[4] or '0' }
