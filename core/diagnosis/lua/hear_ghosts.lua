-- Gives each of them (ghosts.lua) the beat of this moment: who has a browser goes on beating, the others go after the grace.
-- KEYS 1 queue  2 beats
-- Returns how many
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local heard = 0
for _, visitor in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local beat = redis.call('ZSCORE', KEYS[2], visitor)
  if not beat or tonumber(beat) > now + 60000 then
    redis.call('ZADD', KEYS[2], string.format('%.0f', now), visitor)
    heard = heard + 1
  end
end
return heard
