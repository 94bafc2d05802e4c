-- The seats that are being paid for, by Redis' account.
-- KEYS 1 baskets  2 active paying
-- Returns ordinals
--#include seats.lua

local reply = {}
for _, visitor in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local basket = read_basket(KEYS[1], visitor)
  if basket and basket.mode == 'paying' then
    for _, ordinal in ipairs(basket.seats) do reply[#reply + 1] = ordinal end
  end
end
return reply
