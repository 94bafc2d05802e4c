-- The phase that a hold is made in: fixed with the first seat of a basket, so that it stays when the next phase begins.
-- KEYS 1 codes of visitors  2 phases of visitors  3 baskets
-- ARGV 1 visitor  2 the phase that wants no code, or ''  3 how long the keys are kept, ms
--      4... group, the phase that it opens, group, ...
-- Returns the phase's name, or '': a code is wanted that this visitor has not given

local visitor = ARGV[1]
local held = redis.call('HGET', KEYS[3], visitor)
local known = redis.call('HGET', KEYS[2], visitor)
if known and held and not string.find(held, '|lapsed|', 1, true) then return known end
local phase = ARGV[2]
local group = string.match(redis.call('HGET', KEYS[1], visitor) or '', '^[^|]*|(.*)$')
for i = 4, #ARGV, 2 do
  if ARGV[i] == group then phase = ARGV[i + 1] end
end
if phase ~= '' then
  redis.call('HSET', KEYS[2], visitor, phase)
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return phase
