-- A use of an access code is claimed with the place that is about to be taken: one live place for each use (F7).
-- KEYS, ARGV 1-5: see queue.lua; the last three keys: claims, codes of visitors, spent uses
-- ARGV 6 visitor  7 the code (its digest)  8 its group  9 purchases that it is good for  10 how long a claim counts
--      before its place is there, ms  11 how long the keys are kept, ms
-- Returns 1, or 0: every use is another visitor's, or spent
--#include queue.lua

local CLAIMS, OF, SPENDINGS = KEYS[#KEYS - 2], KEYS[#KEYS - 1], KEYS[#KEYS]
local visitor, code, group = ARGV[6], ARGV[7], ARGV[8]
local uses, fresh = tonumber(ARGV[9]), now - tonumber(ARGV[10])

-- A claim lives as long as its place does, whoever ended that.
local function lives(claimant, at)
  if redis.call('HGET', OF, claimant) ~= code .. '|' .. group then return false end
  return at > fresh or redis.call('ZSCORE', QUEUE, claimant) or redis.call('ZSCORE', ACTIVE, claimant)
    or redis.call('ZSCORE', PAYING, claimant) or redis.call('HEXISTS', ENTRIES, claimant) == 1
end

local kept, own = {}, false
for claimant, at in string.gmatch(redis.call('HGET', CLAIMS, code) or '', '([^,;]+),(%d+)') do
  if claimant == visitor then
    own = lives(claimant, tonumber(at))
  elseif lives(claimant, tonumber(at)) then
    kept[#kept + 1] = claimant .. ',' .. at
  elseif redis.call('HGET', OF, claimant) == code .. '|' .. group then
    -- A place that this visitor is about to take after all opens no phase: the code has to be claimed anew.
    redis.call('HSET', OF, claimant, code .. '|')
  end
end
local spent = tonumber(redis.call('HGET', SPENDINGS, code) or '0')
local granted = own or #kept + spent < uses
if granted then
  kept[#kept + 1] = visitor .. ',' .. integer(now)
  redis.call('HSET', OF, visitor, code .. '|' .. group)
end
if #kept > 0 then redis.call('HSET', CLAIMS, code, table.concat(kept, ';')) else redis.call('HDEL', CLAIMS, code) end
for i = #KEYS - 2, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[11]) end
return granted and 1 or 0
