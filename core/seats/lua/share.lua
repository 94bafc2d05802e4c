-- Prelude: one buyer's share (F3, F5). What a visitor has bought, and what visitors and networks held without buying.
-- Included by seats.lua; not run by itself. All of it is in one hash, `shares`, which dies with its event:
--   b|visitor              'ordinal:fence,...': bought, and not given back
--   u|visitor, n|network   'seat-milliseconds held unpaid|when the last of them were added, ms'
--   x|visitor              extensions used in this session
--   a|visitor              number in the queue of who is silent, and may come back to it
--   w|visitor              'when asked, ms|seconds expected|low|high': the wait that was promised
--   e|visitor              when the session would have ended that was given up, ms
--   o|visitor              why the visitor is in nothing (waiting_room/lua/queue.lua)
--   h                      'hold length, ms|unpaid seat-milliseconds from which a network is one that hoards'
--   s|ordinal              'until, ms|network|visitor': who let the seat go unpaid; until then it is for others first
--   l|network              'until, ms:ordinal,...;' for each basket of those: where to look for them

local function account(shares, field)
  local spent, last = string.match(redis.call('HGET', shares, field) or '', '^(%d+)|(%d+)$')
  return tonumber(spent or '0'), tonumber(last or '0')
end

-- Before seats come into a basket or leave it: what those until now have used is counted.
local function count_held(basket, now)
  local till = basket.mode == 'held' and math.min(now, basket.till) or now
  basket.used = basket.used + #basket.seats * math.max(0, till - basket.since)
  basket.since = now
end

-- A quarter of the hall for a hold's length, or eight full baskets where that is more: so much a network may let go
-- before others come first.
local NOTICED_PART, NOTICED_BASKETS = 1 / 4, 8

local function note_figures(shares, hold, most, size)
  redis.call('HSET', shares, 'h', hold .. '|' .. integer(hold * math.max(size * NOTICED_PART, most * NOTICED_BASKETS)))
end

-- A hold's length, ms, where a network has let go more than that and has not bought it since; else nil. Then seats that
-- it lets go are for others first, for so long: else its next browser, always quicker, had them again (F5).
local function lets_much_go(shares, network)
  local spent = network == '' and 0 or account(shares, 'n|' .. network)
  if spent == 0 then return nil end
  local hold, noticed = string.match(redis.call('HGET', shares, 'h') or '', '^(%d+)|(%d+)$')
  if hold and spent >= tonumber(noticed) then return tonumber(hold) end
end

local function let_go(shares, visitor, network, ordinals, now)
  local hold = lets_much_go(shares, network)
  if not hold or #ordinals == 0 then return end
  local till = integer(now + hold)
  for _, ordinal in ipairs(ordinals) do
    redis.call('HSET', shares, 's|' .. ordinal, till .. '|' .. network .. '|' .. visitor)
  end
  -- The oldest come first: what is over goes.
  local all, from = redis.call('HGET', shares, 'l|' .. network) or '', 1
  while true do
    local first, last, its = string.find(all, '^(%d+):[^;]*;', from)
    if not first or tonumber(its) > now then break end
    from = last + 1
  end
  redis.call('HSET', shares, 'l|' .. network, string.sub(all, from) .. till .. ':' .. table.concat(ordinals, ',') .. ';')
end

-- Ordinals of the seats that a network let go and that are for others first, and of some that are not any more.
local function marked_seats(shares, network)
  local found = {}
  for list in string.gmatch(redis.call('HGET', shares, 'l|' .. network) or '', ':([^;]*);') do
    for ordinal in string.gmatch(list, '%d+') do found[#found + 1] = ordinal end
  end
  return found
end

-- Marks read in one command: Lua passes some thousands of arguments at most.
local MARKS_AT_ONCE = 500

-- For how long one of these seats is for others than this visitor first, ms, or nil; then which of them are. `swaps`:
-- there is a basket, in which seats are only changed.
local function for_others_first(shares, visitor, network, swaps, ordinals, now)
  if #ordinals == 0 or not lets_much_go(shares, network) then return nil end
  -- Who has bought does not answer for the neighbours.
  if redis.call('HEXISTS', shares, 'b|' .. visitor) == 1 then return nil end
  local left, which = nil, {}
  for from = 1, #ordinals, MARKS_AT_ONCE do
    local fields = {}
    for i = from, math.min(#ordinals, from + MARKS_AT_ONCE - 1) do fields[#fields + 1] = 's|' .. ordinals[i] end
    for i, mark in ipairs(redis.call('HMGET', shares, unpack(fields))) do
      local till, of, by = string.match(mark or '', '^(%d+)|([^|]*)|(.*)$')
      if of == network and tonumber(till) > now and not (swaps and by == visitor) then
        left = math.max(left or 0, tonumber(till) - now)
        which[#which + 1] = ordinals[from + i - 1]
      end
    end
  end
  return left, which
end

-- A basket ends unpaid, time in a payment window included. One basket costs no more than its whole hold, all extensions
-- and the whole payment window: what it takes longer is not the buyer's doing.
local function charge_basket(shares, visitor, basket, now)
  if basket.mode == 'lapsed' then return end
  count_held(basket, now)
  local amount = math.min(basket.used, basket.most)
  if amount <= 0 then return end
  for _, field in ipairs({ 'u|' .. visitor, basket.network ~= '' and 'n|' .. basket.network or nil }) do
    redis.call('HSET', shares, field, integer(account(shares, field) + amount) .. '|' .. integer(now))
  end
  let_go(shares, visitor, basket.network, basket.seats, now)
end

-- A purchase: the visitor has held nothing in vain.
local function clear_account(shares, visitor, network)
  local spent = account(shares, 'u|' .. visitor)
  if spent == 0 then return end
  redis.call('HDEL', shares, 'u|' .. visitor)
  local field = 'n|' .. network
  local others, last = account(shares, field)
  if others > spent then
    redis.call('HSET', shares, field, integer(others - spent) .. '|' .. integer(last))
  else
    redis.call('HDEL', shares, field)
  end
end

-- For how long the visitor may begin no basket, ms, or nil. An account that is used up is forgotten after the pause;
-- another one when nothing was added to it for the pause and the longest that a basket can take (`longest`).
local function cooling(shares, visitor, network, now, own, of_network, pause, longest)
  local left
  local function look(field, budget)
    local spent, last = account(shares, field)
    if spent == 0 then return end
    if now >= last + pause + (spent >= budget and 0 or longest) then
      redis.call('HDEL', shares, field)
    elseif spent >= budget then
      left = math.max(left or 0, last + pause - now)
    end
  end
  look('u|' .. visitor, own)
  -- Who has bought does not answer for the neighbours.
  if network ~= '' and redis.call('HEXISTS', shares, 'b|' .. visitor) == 0 then look('n|' .. network, of_network) end
  return left
end

local function bought_seats(shares, visitor)
  local bought, count = {}, 0
  for ordinal, fence in string.gmatch(redis.call('HGET', shares, 'b|' .. visitor) or '', '(%d+):(%d+)') do
    bought[ordinal] = fence
    count = count + 1
  end
  return bought, count
end

-- Seats that the visitor has bought under this fence, or has given back: safe to repeat, in any order.
local function note_bought(shares, visitor, fence, ordinals, sold)
  local bought = bought_seats(shares, visitor)
  for _, ordinal in ipairs(ordinals) do
    if sold then
      bought[ordinal] = fence
    elseif bought[ordinal] == fence then
      bought[ordinal] = nil
    end
  end
  local list = {}
  for ordinal, of in pairs(bought) do list[#list + 1] = ordinal .. ':' .. of end
  if #list > 0 then
    redis.call('HSET', shares, 'b|' .. visitor, table.concat(list, ','))
  else
    redis.call('HDEL', shares, 'b|' .. visitor)
  end
end
