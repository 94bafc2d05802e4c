-- Who of the head of the queue has never been heard, those with the beat of a moment to come included.
-- KEYS 1 queue  2 beats
-- ARGV 1 how many of the head are looked at, some thousands at most
-- Returns visitors
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ghosts = {}
local head = redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)
local beats = #head > 0 and redis.call('ZMSCORE', KEYS[2], unpack(head)) or {}
for i, visitor in ipairs(head) do
  if not beats[i] or tonumber(beats[i]) > now + 60000 then ghosts[#ghosts + 1] = visitor end
end
return ghosts
