-- Who of the head of the queue has never been heard, those with the beat of a moment to come included.
-- KEYS 1 queue  2 beats
-- ARGV 1 how many of the head are looked at
-- Returns visitors
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ghosts = {}
for _, visitor in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)) do
  local beat = redis.call('ZSCORE', KEYS[2], visitor)
  if not beat or tonumber(beat) > now + 60000 then ghosts[#ghosts + 1] = visitor end
end
return ghosts
