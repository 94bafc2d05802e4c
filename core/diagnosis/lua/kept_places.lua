-- Those who count as paying and have no basket that is being paid for.
-- KEYS 1 active paying  2 baskets
-- ARGV visitors: only they, and they count no more; none: all, and nothing is changed
-- Returns visitors
local kept = {}
for _, visitor in ipairs(#ARGV > 0 and ARGV or redis.call('ZRANGE', KEYS[1], 0, 9999)) do
  local basket = redis.call('HGET', KEYS[2], visitor)
  if not basket or not string.find(basket, '|paying|', 1, true) then
    kept[#kept + 1] = visitor
    if #ARGV > 0 then redis.call('ZREM', KEYS[1], visitor) end
  end
end
return kept
