-- Whose turn it is to send an e-mail, at an even pace over all processes.
-- KEYS 1 when the next e-mail may leave (ms since 1970)
-- ARGV 1 pause between two e-mails in ms  2 the longest wait in ms
-- Returns the ms to wait, in which the turn is the caller's; or, below zero, how much too long it would be: no turn
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local pause, longest = tonumber(ARGV[1]), tonumber(ARGV[2])
local due = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0) or 0)  -- in that order: no number is never more
-- Further away than any turn that was given, or without an end: not of this clock, or not ours.
if due > now + longest + 3 * pause or redis.call('PTTL', KEYS[1]) == -1 then due = now end
local wait = due - now
if wait > longest then return -math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.3f', due + pause), 'PX', math.ceil(wait + pause) + 1000)
return math.ceil(wait)
