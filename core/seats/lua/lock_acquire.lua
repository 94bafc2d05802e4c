-- Takes the locks of several seats at once, or none.
-- KEYS the locks, sorted by ordinal
-- ARGV 1 owner token  2 lease, ms
-- Returns 1, or 0 when one of them is somebody else's
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then return 0 end
end
for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
return 1
