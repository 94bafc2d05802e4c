-- Gives a visitor's basket more time, as often as is allowed in a session, never past its end.
-- KEYS 1 holds  2 baskets  3 basket deadlines  4 active until  5 shares  6 stop  7 owed
-- ARGV 1 visitor  2 state key prefix  3 hold length, ms
--      4 Redis' time up to which somebody waits for the answer, ms, or 0  5 letters that stand for this call
-- Returns {'ok', fence, until ms, extensions left, mode, ordinal...}, {'empty'}, {'lapsed'}, {'paying'}, {'refused'}, {'late'}
--#include seats.lua

local visitor, prefix = ARGV[1], ARGV[2]
local basket = read_basket(KEYS[2], visitor)
local now = sale_ms(KEYS[6], KEYS[7], visitor)
if is_late(ARGV[4]) then return { 'late' } end
if not basket then return { 'empty' } end
if basket.mode == 'paying' then return { 'paying' } end
if basket.mode == 'lapsed' or basket.till <= now then return { 'lapsed' } end
if basket.call ~= '' and basket.call == ARGV[5] then return basket_reply(basket) end
if basket.extensions <= 0 then return { 'refused' } end
local session_end = tonumber(redis.call('ZSCORE', KEYS[4], visitor) or '0')
basket.till = math.max(basket.till, math.min(basket.till + tonumber(ARGV[3]), session_end))
basket.extensions = basket.extensions - 1
redis.call('HINCRBY', KEYS[5], 'x|' .. visitor, 1)
basket.call = ARGV[5]
for _, ordinal in ipairs(basket.seats) do
  redis.call('PEXPIRE', prefix .. ordinal, integer(basket.till - now + HOLD_KEPT_MS))
  redis.call('ZADD', KEYS[1], integer(basket.till), ordinal)
end
write_basket(KEYS[2], KEYS[3], visitor, basket)
return basket_reply(basket)
