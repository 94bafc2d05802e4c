-- Turns a visitor's held seats into seats being paid for: they outlive the hold, and the visitor outlives the grace.
-- KEYS 1 holds  2 baskets  3 basket deadlines  4 active paying  5 board version  6 stop  7 owed
-- ARGV 1 visitor  2 state key prefix  3 how long a payment protects at most, ms
--      4 Redis' time up to which somebody waits for the answer, ms, or 0
-- Returns {'ok', fence, until ms, extensions left, mode, ordinal...}, {'empty'}, {'lapsed'}, {'paying'}, {'no_board'},
-- {'late'}
--#include seats.lua

local visitor, prefix = ARGV[1], ARGV[2]
if is_late(ARGV[4]) then return { 'late' } end
if redis.call('EXISTS', KEYS[5]) == 0 then return { 'no_board' } end
local basket = read_basket(KEYS[2], visitor)
local now = sale_ms(KEYS[6], KEYS[7], visitor)
if not basket then return { 'empty' } end
if basket.mode == 'paying' then return { 'paying' } end
if basket.mode == 'lapsed' or basket.till <= now then return { 'lapsed' } end
for _, ordinal in ipairs(basket.seats) do
  if redis.call('GET', prefix .. ordinal) ~= visitor .. '|' .. basket.fence .. '|held' then return { 'lapsed' } end
end
basket.mode = 'paying'
for _, ordinal in ipairs(basket.seats) do
  redis.call('SET', prefix .. ordinal, visitor .. '|' .. basket.fence .. '|paying', 'PX', ARGV[3])
  redis.call('ZREM', KEYS[1], ordinal)
end
write_basket(KEYS[2], KEYS[3], visitor, basket)
redis.call('ZADD', KEYS[4], integer(clock_ms() + tonumber(ARGV[3])), visitor)
return basket_reply(basket)
