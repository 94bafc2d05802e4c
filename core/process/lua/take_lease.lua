-- Takes or renews a lease on a job: one owner at a time.
-- KEYS 1 the lease
-- ARGV 1 owner  2 how long, ms
-- Returns 1, or 0: it is another's
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
