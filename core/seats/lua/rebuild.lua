-- Puts the board that was read from PostgreSQL in place of a lost one. Does nothing when one is there.
-- Where Redis lost the board alone, what is held stays held.
-- KEYS 1 board  2 board version  3 baskets  4 basket deadlines  5 active paying  6 fence  7 holds
-- ARGV 1 epoch  2 states, one byte a seat  3 state key prefix  4 seats channel  5 protection of a payment, ms
--      6 highest fence that PostgreSQL has seen
--      7... for each visitor who is paying: visitor, fence, 'ordinal,ordinal'
-- Returns {'ok'} or {'there'}
--#include seats.lua

if not is_lost(KEYS[1], KEYS[2]) then return { 'there' } end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], 'epoch', ARGV[1], 'counter', 0)
if tonumber(redis.call('GET', KEYS[6]) or '0') < tonumber(ARGV[6]) then
  redis.call('SET', KEYS[6], ARGV[6], 'PX', KEPT_MS)
end
local till = clock_ms() + tonumber(ARGV[5])
for i = 7, #ARGV, 3 do
  local visitor, fence, list = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  for ordinal in string.gmatch(list, '%d+') do
    local state = visitor .. '|' .. fence .. '|paying'
    if redis.call('GET', ARGV[3] .. ordinal) ~= state then take_seat(KEYS[7], KEYS[3], KEYS[4], KEYS[5], ARGV[3], ordinal) end
    redis.call('SET', ARGV[3] .. ordinal, state, 'PX', ARGV[5])
  end
  redis.call('HSET', KEYS[3], visitor, fence .. '|' .. integer(till) .. '|0|paying|' .. list .. '|0|0|0|')
  redis.call('ZREM', KEYS[4], visitor)
  redis.call('ZADD', KEYS[5], integer(till), visitor)
end
for _, ordinal in ipairs(redis.call('ZRANGE', KEYS[7], 0, -1)) do
  local state = redis.call('GET', ARGV[3] .. ordinal)
  if state and string.find(state, '|held', 1, true) then
    if seat_byte(KEYS[1], ordinal) == AVAILABLE then
      redis.call('SETRANGE', KEYS[1], ordinal, string.char(HELD))
    else
      take_seat(KEYS[7], KEYS[3], KEYS[4], KEYS[5], ARGV[3], ordinal)
    end
  end
end
-- Paying in Redis, and not (yet) in PostgreSQL: a checkout between its two steps.
for _, visitor in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1)) do
  local basket = read_basket(KEYS[3], visitor)
  if basket and basket.mode == 'paying' then
    for _, ordinal in ipairs(basket.seats) do
      if redis.call('GET', ARGV[3] .. ordinal) == visitor .. '|' .. basket.fence .. '|paying'
        and seat_byte(KEYS[1], ordinal) ~= HELD then
        if seat_byte(KEYS[1], ordinal) == AVAILABLE then
          redis.call('SETRANGE', KEYS[1], ordinal, string.char(HELD))
        else
          take_seat(KEYS[7], KEYS[3], KEYS[4], KEYS[5], ARGV[3], ordinal)
        end
      end
    end
  end
end
-- Whoever looks at a closed sale makes a board that dies again; the first sweep of an open sale makes it stay.
for i = 1, 5 do redis.call('PEXPIRE', KEYS[i], KEPT_MS, 'NX') end
-- Every feed meets a new epoch and asks for the snapshot.
redis.call('PUBLISH', ARGV[4], '{"epoch":' .. ARGV[1] .. ',"version":0,"changes":[]}')
return { 'ok' }
