-- Prelude of the scripts that move visitors through the waiting room. Not run by itself.
-- All of them take the same keys, in the order of `core/waiting_room/queue_redis.py:_KEYS`:
-- KEYS 1 queue  2 beats of the waiting  3 last number  4 spent tickets  5 queue version
--      6 active users  7 active until  8 active paying  9 pace
--      10 board  11 board version  12 holds  13 baskets  14 basket deadlines  15 active cap
--      16 draw  17 entries  18 beats of the entries  19 shares  20 networks  21 places  22 absent places  23 silent  24 waits
--      25 stop  26 owed  27 turns
-- and begin with
-- ARGV 1 state key prefix  2 seats channel  3 queue channel  4 active limit now  5 session length, ms
--#include ../../seats/lua/seats.lua

local QUEUE, BEATS, NUMBER, SPENT, VERSION = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local ACTIVE, UNTIL, PAYING, PACE = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local BOARD, BOARD_VERSION, HOLDS, BASKETS, DEADLINES = KEYS[10], KEYS[11], KEYS[12], KEYS[13], KEYS[14]
local CAP = KEYS[15]
local DRAW, ENTRIES, ENTRY_BEATS = KEYS[16], KEYS[17], KEYS[18]
local SHARES, SILENT, WAITS = KEYS[19], KEYS[23], KEYS[24]
local NETWORKS, PLACES, ABSENT = KEYS[20], KEYS[21], KEYS[22]
local STOP, OWED, TURNS = KEYS[25], KEYS[26], KEYS[27]
local PREFIX, SEATS_CHANNEL, QUEUE_CHANNEL = ARGV[1], ARGV[2], ARGV[3]
-- The event's own limit, or less while the load asks for it (S10).
local LIMIT = math.min(tonumber(ARGV[4]), tonumber(redis.call('GET', CAP) or 'inf'))
local SESSION_MS = tonumber(ARGV[5])
-- Visitors whom a join or a departure lets in, at most; more only wait where a sweep is under way.
local AT_ONCE = 100
-- Queue numbers of one epoch of the board: after a loss of Redis the numbers go on above the old ones.
local NUMBERS_OF_AN_EPOCH = 10000000

local now = clock_ms()
local seat_changes = {}
local left, returned, admitted, out, lapsed = {}, {}, {}, {}, {}
-- Whose session, and whose basket, was given time: {visitor, number, until}, and visitors.
local longer, kept = {}, {}
local stands_since
local sale = false
local told = nil

-- The draw under way: 'gathering', 'frozen' (its order is being made), 'drawn', or nil when there is none.
local function draw_state()
  return redis.call('HGET', DRAW, 'state') or nil
end

-- What the sale's clock shows a visitor: sessions are begun and judged by it (R4).
local function shown(visitor) return now - stood(STOP, OWED, visitor, now) end

-- When a session ends that begins now. Who gave one up gets no other one before that would have ended: what is left of
-- it, and its extensions (F5).
local function begin_session(visitor)
  local before = tonumber(redis.call('HGET', SHARES, 'e|' .. visitor) or '0')
  local at = shown(visitor)
  if before > at then return math.min(before, at + SESSION_MS) end
  redis.call('HDEL', SHARES, 'e|' .. visitor, 'x|' .. visitor)
  return at + SESSION_MS
end

-- What a visitor with so many ahead is promised, remembered until it is known what came of it (F9). The arithmetic of
-- core/waiting_room/pace.py. The first `room` are let in at once: they are promised nothing, and stand in nobody's way
-- (after a draw the hall is empty still).
local function promise(visitor, ahead, room)
  ahead = ahead - room
  if ahead < 0 then return end
  local pace = redis.call('HMGET', PACE, 'departures', 'low', 'high')
  local departures, eta = tonumber(pace[1] or '0'), nil
  if departures >= 0.5 then
    eta = math.ceil((ahead + 1) * 60 / departures)
  elseif LIMIT >= 1 then
    eta = math.ceil((math.floor(ahead / LIMIT) + 1) * SESSION_MS / 1000)
  else
    return
  end
  redis.call('HSET', SHARES, 'w|' .. visitor, integer(now) .. '|' .. eta .. '|' .. (pace[2] or '') .. '|' .. (pace[3] or ''))
end

-- Promised and actual, of those who came in last: 'joined ms|seconds expected|low|high|seconds waited'; low and high are
-- shares of what was expected, empty where nothing was known yet.
local WAITS_KEPT = 500
local function note_wait(visitor)
  local promised = redis.call('HGET', SHARES, 'w|' .. visitor)
  if not promised then return end
  redis.call('HDEL', SHARES, 'w|' .. visitor)
  local joined = tonumber(string.match(promised, '^%d+'))
  redis.call('LPUSH', WAITS, promised .. '|' .. integer((now - joined) / 1000))
  redis.call('LTRIM', WAITS, 0, WAITS_KEPT - 1)
end

-- What PostgreSQL is told of turns (turns_postgres.py): a Redis that lost everything must not give one twice. `till`: 0
-- when it is over.
local TURNS_KEPT = 100000
local function note_turn(visitor, number, till)
  redis.call('RPUSH', TURNS, visitor .. '|' .. integer(number) .. '|' .. integer(till))
  redis.call('LTRIM', TURNS, -TURNS_KEPT, -1)
end

-- Whether anybody who comes in may find a seat to pick (V3): a free one, or one in a basket, which may be let go any
-- moment. A piece of the board at a time: mostly the first one has one. Looked at once a script, and again when it freed seats.
local PIECE = 8192
local hope, hope_at
local function has_hope()
  if hope_at == #seat_changes then return hope end
  hope, hope_at = false, #seat_changes
  local at = 0
  repeat
    local states = redis.call('GETRANGE', BOARD, at, at + PIECE - 1)
    for _, state in ipairs({ AVAILABLE, HELD }) do
      hope = hope or string.find(states, string.char(state), 1, true) ~= nil
    end
    at = at + PIECE
  until hope or #states < PIECE
  return hope
end

-- How many more may come in. Nobody is let in to a hall in which every seat is sold: they keep their places, and come in
-- when one comes back.
local function free_room()
  local room = LIMIT - redis.call('ZCARD', ACTIVE)
  return room > 0 and has_hope() and room or 0
end

local function board_version()
  local at = redis.call('HMGET', BOARD_VERSION, 'epoch', 'counter')
  return (at[1] or '') .. '|' .. (at[2] or '')
end

-- Which board the sweep found without hope, where it had to look: who reads a place need not look through it again.
local function note_hope()
  if hope_at ~= #seat_changes then return end
  local hopeless, noted = not hope and board_version() or nil, redis.call('HGET', PACE, 'hopeless') or nil
  if hopeless and hopeless ~= noted then
    redis.call('HSET', PACE, 'hopeless', hopeless)
  elseif noted and not hopeless then
    redis.call('HDEL', PACE, 'hopeless')
  end
end

-- How many at the head of the queue come in with the next sweep at the latest.
local function room_for_head()
  if redis.call('EXISTS', QUEUE) == 0 then return 0 end
  if draw_state() ~= 'frozen' then return free_room() end
  -- The drawn numbers are not in the queue yet: nobody behind them may come in first.
  local before = redis.call('ZCOUNT', QUEUE, '-inf', redis.call('HGET', DRAW, 'base'))
  return before > 0 and math.min(free_room(), before) or 0
end

-- Moves visitors from the head of the queue to active while there is room, `most` at once: the only way in.
-- A limit that was raised by a hundred thousand must not keep Redis to itself: the sweep goes on with the rest.
local function admit(most)
  local room = math.min(room_for_head(), most)
  if room <= 0 then return end
  local head = redis.call('ZPOPMIN', QUEUE, room)
  for i = 1, #head, 2 do
    local visitor, number = head[i], head[i + 1]
    redis.call('ZREM', BEATS, visitor)
    redis.call('ZADD', ACTIVE, integer(now), visitor)
    note_wait(visitor)
    local till = begin_session(visitor)
    redis.call('ZADD', UNTIL, integer(till), visitor)
    redis.call('ZADD', SPENT, number, visitor)
    left[#left + 1] = tonumber(number)
    admitted[#admitted + 1] = { visitor, tonumber(number), till }
    note_turn(visitor, tonumber(number), till)
  end
end

-- What a new place costs its visitor's network, and whether it was paid (F4); counts it when it was.
-- ARGV first, of those that join.lua and enter.lua have last:
--   network ('' where places have no price)  step that was paid for, -1 nothing  id of the proof  how long it could be
--   shown again, ms  places of a network that are free  places a step  step at which the price is full  key prefix of proofs
-- `returning`: the place is one that was paid for, in a Redis that has been lost since.
-- Returns nil when the visitor may have the place, or the refusal {'proof', step of the price now}.
local function charge(visitor, first, returning)
  local network = ARGV[first]
  if network == '' then return nil end
  if redis.call('HEXISTS', PLACES, visitor) == 1 then
    redis.call('ZREM', ABSENT, visitor)
    return nil
  end
  local live = tonumber(redis.call('ZSCORE', NETWORKS, network) or '0')
  if not returning and live >= tonumber(ARGV[first + 4]) then
    local step, paid = math.floor(live / tonumber(ARGV[first + 5])), tonumber(ARGV[first + 1])
    -- One step may have gone by while the proof was made; who has paid in full has done so for good.
    local enough = paid >= 0 and (paid + 1 >= step or paid >= tonumber(ARGV[first + 6]))
    if not enough or not redis.call('SET', ARGV[first + 7] .. ARGV[first + 2], '1', 'NX', 'PX', ARGV[first + 3]) then
      return { 'proof', step }
    end
  end
  redis.call('HSET', PLACES, visitor, network)
  redis.call('ZINCRBY', NETWORKS, 1, network)
  return nil
end

-- A place is over: its network has one less.
local function free_place(visitor)
  local network = redis.call('HGET', PLACES, visitor)
  if not network then return end
  redis.call('HDEL', PLACES, visitor)
  redis.call('ZREM', ABSENT, visitor)
  if tonumber(redis.call('ZINCRBY', NETWORKS, -1, network)) <= 0 then redis.call('ZREM', NETWORKS, network) end
end

-- A visitor went silent whose ticket brings the place back: it counts on for a while, or else places could be gathered
-- for nothing, a few at a time.
local function keep_place(visitor)
  if redis.call('HEXISTS', PLACES, visitor) == 1 then redis.call('ZADD', ABSENT, 'NX', integer(now), visitor) end
end

-- Numbers given by a Redis that has been lost since: who has a ticket with one has paid for the place.
local function is_of_an_earlier_epoch(number)
  local epoch = tonumber(redis.call('HGET', BOARD_VERSION, 'epoch') or '1')
  return number > 0 and number <= (epoch - 1) * NUMBERS_OF_AN_EPOCH
end

-- A ticket of a Redis that has been lost since may be one whose turn has come already. `turn`: '?' when nobody has looked,
-- 'none', 'over', or when its session ends, ms. Returns the number that counts, 0 for a turn that is over; nil: look first.
-- A session that goes on ends when it would have.
local function number_after_loss(visitor, claimed, turn)
  if not is_of_an_earlier_epoch(claimed) or turn == 'none' then return claimed end
  if turn == '?' then return nil end
  local till = tonumber(turn) or 0
  if till <= shown(visitor) then return 0 end
  redis.call('HSET', SHARES, 'e|' .. visitor, integer(till))
  return claimed
end

-- An active visitor has an end of the session, also after Redis threw it away.
local function keep_session(visitor)
  if not redis.call('ZSCORE', UNTIL, visitor) then redis.call('ZADD', UNTIL, integer(shown(visitor) + SESSION_MS), visitor) end
end

-- Doubles count exactly up to here: a number beyond was not given by us, and the one after it would be the same (R3).
local EXACT = 9007199254740991

-- The last number given; when Redis threw it away, or has nonsense, the highest that anybody has or had.
local function last_number()
  local known = tonumber(redis.call('GET', NUMBER) or '')
  if known and known <= EXACT then return known end
  local highest = 0
  for _, key in ipairs({ QUEUE, SPENT }) do
    local found = redis.call('ZREVRANGEBYSCORE', key, integer(EXACT), '-inf', 'WITHSCORES', 'LIMIT', 0, 1)
    highest = math.max(highest, tonumber(found[2] or '0'))
  end
  return highest
end

-- Whether the number on a ticket brings its place back (F6). It was used up by being let in, by leaving, or by being
-- silent for too long (sweep.lua); of numbers that a lost Redis gave nobody knows, so they count for as long again.
local function brings_back(visitor, claimed, spent)
  local kept = redis.call('ZREM', SILENT, visitor) == 1
  redis.call('HDEL', SHARES, 'a|' .. visitor)
  local late = not kept and claimed <= tonumber(redis.call('HGET', PACE, 'late_numbers') or '0')
  if claimed <= spent or late then return false end
  redis.call('HINCRBY', PACE, 'came_back', 1)
  return true
end

-- What a new number comes after: a Redis that lost everything counts on above all numbers of the epoch before, so that
-- tickets keep their order.
local function newest_number()
  local epoch = tonumber(redis.call('HGET', BOARD_VERSION, 'epoch') or '1')
  return math.max(last_number(), (epoch - 1) * NUMBERS_OF_AN_EPOCH)
end

-- Puts what PostgreSQL says of an opening in place of what Redis has of another one, or of none: it was lost.
-- `patience`, ms: how long those who had entered may take to come back before they are drawn, when Redis was lost.
-- False, and nothing is changed: this one was drawn already, and Redis has the next one; who asks knows of an older state.
local function know_opening(id, draw_at, state, base, reserved, patience)
  if redis.call('HGET', DRAW, 'opening') == id then
    if redis.call('HGET', DRAW, 'named_at') ~= draw_at and draw_state() == 'gathering' then  -- it was moved
      redis.call('HSET', DRAW, 'draw_at', draw_at, 'named_at', draw_at)
    end
    return true
  end
  local over = redis.call('HGET', DRAW, 'over')
  if over == id then return false end
  redis.call('UNLINK', DRAW, ENTRIES, ENTRY_BEATS)
  redis.call('HSET', DRAW, 'opening', id, 'over', over or '', 'named_at', draw_at, 'state', 'gathering',
    'lost', tonumber(patience) > 0 and 1 or 0,
    'draw_at', integer(math.max(tonumber(draw_at), tonumber(patience) > 0 and now + tonumber(patience) or 0)))
  if state == 'announced' then return true end
  redis.call('HSET', DRAW, 'state', 'frozen', 'base', base, 'reserved', reserved, 'frozen_at', integer(now))
  local above = tonumber(base) + tonumber(reserved)
  if last_number() < above then redis.call('SET', NUMBER, integer(above)) end
  return true
end

-- At the opening, once, by whichever script comes first: from here on nobody enters, and the numbers of all who did are
-- kept free, behind those who are queued already. What the order is, PostgreSQL says later.
local function freeze_if_due()
  local draw = redis.call('HMGET', DRAW, 'state', 'draw_at')
  if draw[1] ~= 'gathering' or now < tonumber(draw[2]) then return end
  local base, reserved = newest_number(), redis.call('HLEN', ENTRIES)
  redis.call('HSET', DRAW, 'state', 'frozen', 'base', integer(base), 'reserved', reserved, 'frozen_at', integer(now))
  redis.call('SET', NUMBER, integer(base + reserved))
end

-- Somebody is in nothing any more. Why is remembered with the fact: who asks later is told the truth as well.
local function is_out(visitor, reason)
  redis.call('HSET', SHARES, 'o|' .. visitor, reason)
  out[#out + 1] = { visitor, reason }
end

-- Takes an active visitor out and frees the holds. The ticket was spent on the way in.
local function end_session(visitor, reason)
  local till = tonumber(redis.call('ZSCORE', UNTIL, visitor) or '0')
  local at = shown(visitor)
  if till > at then redis.call('HSET', SHARES, 'e|' .. visitor, integer(till)) end
  redis.call('ZREM', ACTIVE, visitor)
  redis.call('ZREM', UNTIL, visitor)
  redis.call('ZREM', OWED, visitor)
  free_basket(BOARD, HOLDS, BASKETS, DEADLINES, SHARES, PREFIX, visitor, seat_changes, at)
  free_place(visitor)
  redis.call('HINCRBY', PACE, 'gone', 1)
  note_turn(visitor, tonumber(redis.call('ZSCORE', SPENT, visitor) or '0'), 0)
  is_out(visitor, reason)
end

-- Takes a waiting visitor out of the queue. Returns the number, or nil.
local function leave_queue(visitor)
  local number = redis.call('ZSCORE', QUEUE, visitor)
  if not number then return nil end
  redis.call('ZREM', QUEUE, visitor)
  redis.call('ZREM', BEATS, visitor)
  redis.call('HDEL', SHARES, 'w|' .. visitor)
  left[#left + 1] = tonumber(number)
  return number
end

-- Says what happened, once. `always`: also when nothing did, so that browsers' figures stay fresh.
local function publish_queue(always)
  publish_changes(BOARD_VERSION, SEATS_CHANNEL, seat_changes)
  local moved = #left > 0 or #returned > 0
  if not (always or moved or #out > 0 or #lapsed > 0) then return end
  local message = {
    v = moved and redis.call('INCR', VERSION) or tonumber(redis.call('GET', VERSION) or '0'),
    waiting = redis.call('ZCARD', QUEUE), active = redis.call('ZCARD', ACTIVE),
  }
  local pace = redis.call('HMGET', PACE, 'departures', 'low', 'high')
  if pace[1] then message.pace = tonumber(pace[1]) end
  local room = room_for_head()
  if room > 0 then message.room = room end
  if pace[2] then message.spread = { tonumber(pace[2]), tonumber(pace[3]) } end
  local drawing = draw_state()
  if drawing == 'gathering' then message.entered = redis.call('HLEN', ENTRIES) end
  if told then message.drawn = told end
  -- cjson writes an empty table as an object: empty lists are left out.
  if #left > 0 then message.left = left end
  if #returned > 0 then message.returned = returned end
  if #longer > 0 then message.longer = longer end
  if #admitted > 0 then message.admitted = admitted end
  if #kept > 0 then message.kept = kept end
  if stands_since then message.stands = stands_since end
  if #out > 0 then message.out = out end
  if #lapsed > 0 then message.lapsed = lapsed end
  if sale then message.sale = true end
  redis.call('PUBLISH', QUEUE_CHANNEL, cjson.encode(message))
end

-- What ZMSCORE, or HMGET, says of each of them: one call for a thousand. More at once Lua cannot hand over.
local function each_of(command, key, members)
  local found = {}
  for first = 1, #members, 1000 do
    for _, value in ipairs(redis.call(command, key, unpack(members, first, math.min(first + 999, #members)))) do
      found[#found + 1] = value
    end
  end
  return found
end

-- Why a visitor is in nothing, '' where nothing is known of it: one of `realtime/wire.py:ExpiredReason`.
local function why_out(visitor)
  return redis.call('HGET', SHARES, 'o|' .. visitor) or ''
end

local function place_reply(visitor)
  local version = tonumber(redis.call('GET', VERSION) or '0')
  local waiting, active = redis.call('ZCARD', QUEUE), redis.call('ZCARD', ACTIVE)
  local known = redis.call('HMGET', PACE, 'departures', 'low', 'high', 'hopeless')
  local pace, low, high = known[1] or '', known[2] or '', known[3] or ''
  local drawing = draw_state()
  if drawing == 'gathering' or drawing == 'frozen' then
    -- Also while numbers are being written: a place is only true when everybody has one.
    local entry = redis.call('HGET', ENTRIES, visitor)
    if entry then
      local draw = redis.call('HMGET', DRAW, 'opening', 'draw_at')
      return { 'entered', entry, draw[1], draw[2], redis.call('HLEN', ENTRIES), version, drawing }
    end
  end
  local till = redis.call('ZSCORE', UNTIL, visitor)
  if till and redis.call('ZSCORE', ACTIVE, visitor) then
    return { 'active', redis.call('ZSCORE', SPENT, visitor) or '0', 0, waiting, active, version, till, pace, low, high, 0 }
  end
  local number = redis.call('ZSCORE', QUEUE, visitor)
  if not number then return { 'none', why_out(visitor) } end
  local ahead = redis.call('ZRANK', QUEUE, visitor)
  local hopeless = known[4] and known[4] == board_version()
  local room = hopeless and 0 or room_for_head()
  return { 'waiting', number, ahead, waiting, active, version, '0', pace, low, high, room }
end
