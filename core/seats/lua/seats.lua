-- Prelude of every script that touches seats. Not run by itself.
-- A seat's state key is built from a prefix (it shares the event's hash tag, so it lives in the same slot): which seats a
-- sweep frees is only known inside the script.

-- How long a key is kept that no sweep has met: a fence, a board built after its sale was closed. A fence that is gone
-- is no harm: the next one is Redis' time in microseconds.
local KEPT_MS = 24 * 3600 * 1000

local AVAILABLE, HELD, SOLD, BLOCKED = 0, 1, 2, 3

local function clock_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Doubles hold integers exactly up to 2^53, but Lua prints 14 digits only: fences have 16.
local function integer(n)
  return string.format('%.0f', n)
end

--#include share.lua
--#include stop.lua

local function seat_byte(board, ordinal)
  return string.byte(redis.call('GETRANGE', board, ordinal, ordinal)) or BLOCKED
end

-- Adds a change to `changes` unless the board says so already.
local function put_byte(board, ordinal, byte, changes)
  if seat_byte(board, ordinal) ~= byte then
    redis.call('SETRANGE', board, ordinal, string.char(byte))
    changes[#changes + 1] = '[' .. ordinal .. ',' .. byte .. ']'
  end
end

-- One message for all changes of this script. The counter grows by one for each change. `by`: the visitor whose basket
-- changed at the visitor's own wish, so that the other pages of this visitor can show it; may be nil.
local function publish_changes(version, channel, changes, by)
  -- Without an epoch the board is about to be built anew, and everybody asks for it then.
  if #changes == 0 or redis.call('HEXISTS', version, 'epoch') == 0 then return end
  local counter = redis.call('HINCRBY', version, 'counter', #changes)
  redis.call('PUBLISH', channel, '{"epoch":' .. redis.call('HGET', version, 'epoch') .. ',"version":' .. integer(counter)
    .. ',"changes":[' .. table.concat(changes, ',') .. ']' .. (by and ',"by":' .. cjson.encode(by) or '') .. '}')
end

-- A board is there when both of its keys are: a Redis that evicts may have thrown away one of them.
local function is_lost(board, version)
  return redis.call('EXISTS', board) == 0 or redis.call('HEXISTS', version, 'epoch') == 0
end

-- Nobody waits for this script's answer any more (R5): Redis, or the way to it, hung. Who asked was told, or reads back.
local function is_late(by) return tonumber(by) > 0 and clock_ms() > tonumber(by) end

-- A basket is 'fence|until|extensions left|mode|ordinal,ordinal|since|used|most|network|call'; mode: held, paying, lapsed.
-- used: seat-milliseconds held until `since`; most: what the basket costs at most when it ends unpaid (share.lua).
-- One from before there were budgets has no such account, and costs nothing. call: letters that stand for the call that
-- changed it last, so that the same call made again gets the first answer (R5); may be missing.
local function read_basket(baskets, visitor)
  local text = redis.call('HGET', baskets, visitor)
  if not text then return nil end
  local fence, till, extensions, mode, list, rest = string.match(text, '^(%d+)|(%d+)|(%d+)|(%a+)|([%d,]*)|?(.*)$')
  local since, used, most, network, call = string.match(rest, '^(%d+)|(%d+)|(%d+)|([^|]*)|?(%a*)$')
  local basket = {
    fence = fence, till = tonumber(till), extensions = tonumber(extensions), mode = mode, seats = {}, call = call or '',
    since = tonumber(since or '0'), used = tonumber(used or '0'), most = tonumber(most or '0'), network = network or '',
  }
  for ordinal in string.gmatch(list, '%d+') do basket.seats[#basket.seats + 1] = ordinal end
  return basket
end

local function write_basket(baskets, deadlines, visitor, basket)
  redis.call('HSET', baskets, visitor, basket.fence .. '|' .. integer(basket.till) .. '|' .. basket.extensions .. '|'
    .. basket.mode .. '|' .. table.concat(basket.seats, ',') .. '|' .. integer(basket.since or 0) .. '|'
    .. integer(basket.used or 0) .. '|' .. integer(basket.most or 0) .. '|' .. (basket.network or '') .. '|'
    .. (basket.call or ''))
  if basket.mode == 'held' then
    redis.call('ZADD', deadlines, integer(basket.till), visitor)
  else
    redis.call('ZREM', deadlines, visitor)
  end
end

local function drop_basket(baskets, deadlines, visitor)
  redis.call('HDEL', baskets, visitor)
  redis.call('ZREM', deadlines, visitor)
end

local function basket_reply(basket)
  local reply = { 'ok', basket.fence, integer(basket.till), basket.extensions, basket.mode }
  for _, ordinal in ipairs(basket.seats) do reply[#reply + 1] = ordinal end
  return reply
end

-- Frees a seat of a visitor, or one that nobody has (visitor nil). One that has become somebody else's stays theirs.
local function free_seat(board, holds, prefix, visitor, ordinal, changes)
  local state = redis.call('GET', prefix .. ordinal)
  if state and not (visitor and string.sub(state, 1, #visitor + 1) == visitor .. '|') then return end
  redis.call('DEL', prefix .. ordinal)
  redis.call('ZREM', holds, ordinal)
  if seat_byte(board, ordinal) == HELD then put_byte(board, ordinal, AVAILABLE, changes) end
end

-- Frees all that a visitor holds. Seats being paid for stay: a payment under way is never cut off. `now`: by the sale's clock.
local function free_basket(board, holds, baskets, deadlines, shares, prefix, visitor, changes, now)
  local basket = read_basket(baskets, visitor)
  if not basket or basket.mode == 'paying' then return false end
  charge_basket(shares, visitor, basket, now)
  for _, ordinal in ipairs(basket.seats) do free_seat(board, holds, prefix, visitor, ordinal, changes) end
  drop_basket(baskets, deadlines, visitor)
  return #basket.seats > 0
end

-- Takes a seat from whoever has it, held or being paid for: PostgreSQL has decided otherwise. The board is the caller's.
-- Returns the visitor who had it, or nil.
local function take_seat(holds, baskets, deadlines, paying, prefix, ordinal)
  local state = redis.call('GET', prefix .. ordinal)
  redis.call('DEL', prefix .. ordinal)
  redis.call('ZREM', holds, ordinal)
  local owner = state and string.match(state, '^(.-)|')
  local basket = owner and read_basket(baskets, owner)
  if not basket then return owner end
  local kept = {}
  for _, seat in ipairs(basket.seats) do
    if seat ~= ordinal then kept[#kept + 1] = seat end
  end
  if #kept == #basket.seats then return owner end
  basket.seats = kept
  if #kept > 0 then
    write_basket(baskets, deadlines, owner, basket)
  else
    drop_basket(baskets, deadlines, owner)
    redis.call('ZREM', paying, owner)
  end
  return owner
end
