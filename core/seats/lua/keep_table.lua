-- Keeps a hall's table for best.lua.
-- KEYS 1 the table
-- ARGV 1 table  2 how long it is kept, ms
-- Returns 1
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
