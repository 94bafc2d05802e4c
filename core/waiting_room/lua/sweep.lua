-- Once a second: sessions and baskets that ended, visitors who went silent, then the head of the queue comes in (S8, S9).
-- One script, so that the active limit holds whatever dies between two sweeps.
-- KEYS, ARGV 1-5: see queue.lua
-- ARGV 6 grace of the active, ms  7 grace of the waiting, ms  8 visitors and baskets handled, at most, of all kinds together
--      9 memory of the pace, ms  10 '1' when the sale is closed: everybody is out, but those who are paying
--      11 how long a closed sale's keys are kept, ms  12 how long a place is kept for who is silent, ms of service; and
--      how long it counts on, ms  13 for how long PostgreSQL or payment has been away, ms, or -1
--      14 ms without a sweep that are a stop of the sale's clock  15 how long it stands at most, ms
--      16 visitors who are given time, at most  17 the stops that PostgreSQL has noted, as they were returned, or ''
--      18 '1' when somebody pays though the sale is closed: its clock goes on being watched
-- Returns {expired sessions, silent active, silent waiting, lapsed baskets, out because closed, admitted, sessions and baskets that
--          were given time, waiting, active, 1 when it had to stop before everything was done, the stops that PostgreSQL is
--          to note as far as is known here: 'ended:given,' each, ms} or {'no_board'}
--#include queue.lua

local closed = ARGV[10] == '1'
-- A closed sale needs no board to be emptied: none is built for it, day after day.
if is_lost(BOARD, BOARD_VERSION) and not closed then return { 'no_board' } end
local left_to_do = tonumber(ARGV[8])
local function looked_at(found)
  left_to_do = left_to_do - #found
  return found
end

-- Nobody was heard in the future, no session ends later than a whole one from now, and no number is beyond what counts
-- exactly: what says so was written under a clock that has been set back since, or by another's hand (R3).
local LATE_MS = 1000
for _, key in ipairs({ ACTIVE, BEATS, ENTRY_BEATS }) do
  for _, visitor in ipairs(looked_at(
    redis.call('ZRANGEBYSCORE', key, '(' .. integer(now + LATE_MS), '+inf', 'LIMIT', 0, left_to_do))) do
    redis.call('ZADD', key, integer(now), visitor)
  end
end
for _, visitor in ipairs(looked_at(
  redis.call('ZRANGEBYSCORE', UNTIL, '(' .. integer(now + SESSION_MS + LATE_MS), '+inf', 'LIMIT', 0, left_to_do))) do
  redis.call('ZADD', UNTIL, integer(now + SESSION_MS), visitor)
end
local beyond = looked_at(redis.call('ZRANGEBYSCORE', QUEUE, '(' .. integer(EXACT), '+inf', 'LIMIT', 0, left_to_do))
if #beyond > 0 then
  local number = newest_number()
  for _, visitor in ipairs(beyond) do
    number = number + 1
    redis.call('ZADD', QUEUE, integer(number), visitor)
    returned[#returned + 1] = number
  end
  redis.call('SET', NUMBER, integer(number))
end

-- What PostgreSQL has noted is nobody's business any more; of what it has not, the last twenty are kept.
local function unnoted_stops(added)
  local unnoted = redis.call('HGET', STOP, 'unnoted') or ''
  if ARGV[17] ~= '' and string.sub(unnoted, 1, #ARGV[17]) == ARGV[17] then
    unnoted = string.sub(unnoted, #ARGV[17] + 1)
    if unnoted == '' then redis.call('HDEL', STOP, 'unnoted') else redis.call('HSET', STOP, 'unnoted', unnoted) end
  end
  if added then
    unnoted = unnoted .. added
    local _, stops = string.gsub(unnoted, ',', '')
    if stops > 20 then unnoted = string.gsub(unnoted, '^[^,]*,', '') end
    redis.call('HSET', STOP, 'unnoted', unnoted)
  end
  return unnoted
end

-- The sale's clock (R4), before anything is judged by it: it stands, or it goes on and everybody gets the time back.
-- Returns true while somebody has not got it yet.
local function time_is_owed()
  local known = redis.call('HMGET', STOP, 'since', 'swept', 'ended', 'sum')
  local since, swept, away = tonumber(known[1] or ''), tonumber(known[2] or ''), tonumber(ARGV[13])
  if not since and swept and now - swept > tonumber(ARGV[14]) then since = swept end
  if not since and away >= 0 then since = math.max(now - away, tonumber(known[3] or '0')) end
  -- Stops that follow soon on each other are one outage: together they get no more than the longest one.
  local most = tonumber(ARGV[15])
  local sum = (since or now) - tonumber(known[3] or '0') < most and tonumber(known[4] or '0') or 0
  most = math.max(0, most - sum)
  if since and away < 0 and redis.call('ZCARD', OWED) == 0 then
    local given = math.max(0, math.min(now - since, most))
    redis.call('ZUNIONSTORE', OWED, 2, UNTIL, DEADLINES)
    redis.call('HSET', STOP, 'given', integer(given), 'ended', integer(now), 'sum', integer(sum + given))
    redis.call('HDEL', STOP, 'since')
    if given > 0 then unnoted_stops(integer(now) .. ':' .. integer(given) .. ',') end
    since, most = nil, most - given
  end
  if since then redis.call('HSET', STOP, 'since', integer(since)) end
  redis.call('HSET', STOP, 'swept', integer(now), 'gap', ARGV[14], 'most', integer(most))

  local given = tonumber(redis.call('HGET', STOP, 'given') or '0')
  local due = redis.call('ZPOPMIN', OWED, ARGV[16])
  for i = 1, #due, 2 do
    local visitor = due[i]
    local till = tonumber(redis.call('ZSCORE', UNTIL, visitor) or '0')
    if till > 0 then
      redis.call('ZADD', UNTIL, integer(till + given), visitor)
      longer[#longer + 1] = { visitor, tonumber(redis.call('ZSCORE', SPENT, visitor) or '0'), till + given }
    end
    local basket = read_basket(BASKETS, visitor)
    if basket and basket.mode ~= 'lapsed' then
      basket.till = basket.till + given
      -- The time is not counted as held without buying either.
      basket.since = math.min(now, basket.since + given)
      write_basket(BASKETS, DEADLINES, visitor, basket)
      kept[#kept + 1] = visitor
      if basket.mode == 'held' then
        for _, ordinal in ipairs(basket.seats) do
          redis.call('ZADD', HOLDS, integer(basket.till), ordinal)
          redis.call('PEXPIRE', PREFIX .. ordinal, integer(basket.till - now + HOLD_KEPT_MS))
        end
      end
    end
  end
  local owed = redis.call('ZCARD', OWED) > 0
  if not owed then redis.call('HDEL', STOP, 'given') end
  stands_since = since or owed and tonumber(redis.call('HGET', STOP, 'ended')) - given or 0
  return owed
end
local owed = time_is_owed()
-- For everybody the same from here on: nobody is judged while somebody is owed time.
local shows = shown('')

-- A payment under way keeps its visitor in (rule 5); its own deadline bounds that.
redis.call('ZREMRANGEBYSCORE', PAYING, '-inf', integer(now))
local PAGE, LOOKS = 1000, 10000
-- Those of a set up to a score who are not paying. Those who are stay where they are, and cost a look each time.
local function not_paying(key, till)
  local free, offset = {}, 0
  while #free < left_to_do and offset < LOOKS do
    local page = redis.call('ZRANGEBYSCORE', key, '-inf', till, 'LIMIT', offset, math.min(PAGE, left_to_do - #free))
    if #page == 0 then break end
    offset = offset + #page
    local paying = each_of('ZMSCORE', PAYING, page)
    for i, visitor in ipairs(page) do
      if not paying[i] then free[#free + 1] = visitor end
    end
  end
  return looked_at(free)
end

-- A Redis that evicts may have thrown the ends of the sessions away: everyone inside gets a new one.
if redis.call('ZCARD', ACTIVE) > redis.call('ZCARD', UNTIL) then
  for _, visitor in ipairs(redis.call('ZRANGE', ACTIVE, 0, LOOKS - 1)) do keep_session(visitor) end
end

-- After a time in which nobody swept (Redis or all processes were away) nobody's beats could be heard either: everyone
-- is given one grace to be heard again, before silence counts.
local last = tonumber(redis.call('HGET', PACE, 'at') or '0')
if last > 0 and now - last > tonumber(ARGV[6]) then
  redis.call('HSET', PACE, 'amnesty', integer(now + tonumber(ARGV[6])))
end
local heard = now >= tonumber(redis.call('HGET', PACE, 'amnesty') or '0')
-- For how long the service has answered, ms: what an absence is measured by.
local served = tonumber(redis.call('HGET', PACE, 'served') or '0')
if heard and last > 0 and now > last then
  served = served + now - last
  redis.call('HSET', PACE, 'served', integer(served))
end

local ended = owed and {} or not_paying(UNTIL, integer(shows))
for _, visitor in ipairs(ended) do end_session(visitor, 'session') end

local silent = heard and not_paying(ACTIVE, '(' .. integer(now - tonumber(ARGV[6]))) or {}
for _, visitor in ipairs(silent) do end_session(visitor, 'heartbeat') end

local ghosts = heard and looked_at(
  redis.call('ZRANGEBYSCORE', BEATS, '-inf', '(' .. integer(now - tonumber(ARGV[7])), 'LIMIT', 0, left_to_do)) or {}
for _, visitor in ipairs(ghosts) do
  local silent_for = now - tonumber(redis.call('ZSCORE', BEATS, visitor))
  local number = leave_queue(visitor)
  if number then
    -- The ticket is not spent yet: a phone that slept comes back to its place with it.
    redis.call('ZADD', SILENT, integer(served - silent_for), visitor)
    redis.call('HSET', SHARES, 'a|' .. visitor, number)
    keep_place(visitor)
    is_out(visitor, 'heartbeat')
  else
    redis.call('ZREM', BEATS, visitor)
  end
end
-- Silent for too long: behind those who stayed (F6).
for _, visitor in ipairs(looked_at(
  redis.call('ZRANGEBYSCORE', SILENT, '-inf', '(' .. integer(served - tonumber(ARGV[12])), 'LIMIT', 0, math.max(left_to_do, 0)))) do
  redis.call('ZREM', SILENT, visitor)
  local number = redis.call('HGET', SHARES, 'a|' .. visitor)
  redis.call('HDEL', SHARES, 'a|' .. visitor)
  local spent = tonumber(redis.call('ZSCORE', SPENT, visitor) or '0')
  if number and tonumber(number) > spent then redis.call('ZADD', SPENT, number, visitor) end
  redis.call('HINCRBY', PACE, 'came_late', 1)
end
if served > tonumber(ARGV[12]) then
  local epoch = tonumber(redis.call('HGET', BOARD_VERSION, 'epoch') or '1')
  redis.call('HSET', PACE, 'late_numbers', integer((epoch - 1) * NUMBERS_OF_AN_EPOCH))
end

-- An entry counts only while it beats; the ticket brings the same one back until the opening. Those of an opening that
-- was taken away (withdraw.lua) count no more.
freeze_if_due()
local drawing = draw_state()
if not drawing or heard and drawing == 'gathering' then
  local silent_since = drawing and '(' .. integer(now - tonumber(ARGV[7])) or '+inf'
  for _, visitor in ipairs(looked_at(
    redis.call('ZRANGEBYSCORE', ENTRY_BEATS, '-inf', silent_since, 'LIMIT', 0, math.max(left_to_do, 0)))) do
    redis.call('ZREM', ENTRY_BEATS, visitor)
    redis.call('HDEL', ENTRIES, visitor)
    if not redis.call('ZSCORE', ACTIVE, visitor) and not redis.call('ZSCORE', QUEUE, visitor) then
      keep_place(visitor)
      is_out(visitor, 'heartbeat')
    end
  end
end

local shut = 0
if closed then
  for _, visitor in ipairs(not_paying(ACTIVE, '+inf')) do
    end_session(visitor, 'closed')
    shut = shut + 1
  end
  for _, visitor in ipairs(looked_at(redis.call('ZRANGEBYSCORE', QUEUE, '-inf', '+inf', 'LIMIT', 0, left_to_do))) do
    leave_queue(visitor)
    free_place(visitor)
    is_out(visitor, 'closed')
    shut = shut + 1
  end
  for _, visitor in ipairs(looked_at(redis.call('ZRANGE', ENTRY_BEATS, 0, math.max(left_to_do, 0)))) do
    redis.call('ZREM', ENTRY_BEATS, visitor)
    redis.call('HDEL', ENTRIES, visitor)
    free_place(visitor)
    is_out(visitor, 'closed')
    shut = shut + 1
  end
end

-- Places of who has been silent for too long: their tickets are worth no more than a new place.
for _, visitor in ipairs(looked_at(redis.call(
  'ZRANGEBYSCORE', ABSENT, '-inf', '(' .. integer(now - tonumber(ARGV[12])), 'LIMIT', 0, math.max(left_to_do, 0)))) do
  free_place(visitor)
end
-- Second net, a page at a time: places of visitors who are nowhere, such as the silent ones of a draw; and counts of which
-- an evicting Redis has thrown away what they are counts of.
local PLACES_A_SWEEP = 300
if redis.call('EXISTS', PLACES) == 0 then
  redis.call('UNLINK', NETWORKS, ABSENT)
else
  local scan = redis.call('HSCAN', PLACES, redis.call('HGET', PACE, 'places') or '0', 'COUNT', PLACES_A_SWEEP)
  redis.call('HSET', PACE, 'places', scan[1])
  local found = {}
  for i = 1, #scan[2], 2 do found[#found + 1] = scan[2][i] end
  local active, waiting = each_of('ZMSCORE', ACTIVE, found), each_of('ZMSCORE', QUEUE, found)
  local entered = each_of('HMGET', ENTRIES, found)
  for i, visitor in ipairs(found) do
    if not (active[i] or waiting[i] or entered[i]) then keep_place(visitor) end
  end
end

local late = owed and {} or looked_at(
  redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', integer(shows), 'LIMIT', 0, left_to_do))
for _, visitor in ipairs(late) do
  local basket = read_basket(BASKETS, visitor)
  if basket and free_basket(BOARD, HOLDS, BASKETS, DEADLINES, SHARES, PREFIX, visitor, seat_changes, shows) then
    -- Remembered, so that a buyer who pays too late reads "the time ran out" and not "you hold no seats".
    basket.mode, basket.seats = 'lapsed', {}
    write_basket(BASKETS, DEADLINES, visitor, basket)
    lapsed[#lapsed + 1] = visitor
  else
    redis.call('ZREM', DEADLINES, visitor)
  end
end
-- Second net: a seat whose hold is over but that no basket names.
for _, ordinal in ipairs(owed and {} or looked_at(
  redis.call('ZRANGEBYSCORE', HOLDS, '-inf', integer(shows), 'LIMIT', 0, left_to_do))) do
  local owner = string.match(redis.call('GET', PREFIX .. ordinal) or '', '^(.-)|')
  local basket = owner and read_basket(BASKETS, owner)
  local till
  for _, seat in ipairs(basket and basket.seats or {}) do
    if seat == ordinal then till = basket.till end
  end
  if till then
    redis.call('ZADD', HOLDS, integer(math.max(till, shows + 1000)), ordinal)
  else
    free_seat(BOARD, HOLDS, PREFIX, owner, ordinal, seat_changes)
  end
end

-- How fast the active make room, a minute: an exponential average over ARGV[9], corrected for its young age.
local pace = redis.call('HMGET', PACE, 'at', 'gone', 'counted', 'sum', 'minutes')
local at, gone, counted = tonumber(pace[1] or '0'), tonumber(pace[2] or '0'), tonumber(pace[3] or '0')
if at > 0 and now > at then
  local keep = math.exp((at - now) / tonumber(ARGV[9]))
  local sum = tonumber(pace[4] or '0') * keep + gone - counted
  local minutes = tonumber(pace[5] or '0') * keep + (now - at) / 60000
  redis.call('HSET', PACE, 'at', integer(now), 'counted', gone, 'sum', sum, 'minutes', minutes)
  -- Ten seconds of history at least, before a figure is worth showing.
  if minutes > 1 / 6 then redis.call('HSET', PACE, 'departures', string.format('%.3f', sum / minutes)) end
elseif at == 0 and not closed then
  redis.call('HSET', PACE, 'at', integer(now), 'counted', gone)
end

-- Which share of the expected wait it came to, for all but the shortest and the longest tenth of those in front (F9).
local SPREAD_EVERY_MS, LOOKED_AT, ENOUGH = 10000, 200, 10
if not closed and now - tonumber(redis.call('HGET', PACE, 'spread_at') or '0') >= SPREAD_EVERY_MS then
  redis.call('HSET', PACE, 'spread_at', integer(now))
  local shares = {}
  for _, wait in ipairs(redis.call('LRANGE', WAITS, 0, LOOKED_AT - 1)) do
    local expected, waited = string.match(wait, '^%d+|(%d+)|[^|]*|[^|]*|(%d+)$')
    shares[#shares + 1] = tonumber(waited) / math.max(1, tonumber(expected))
  end
  if #shares >= ENOUGH then
    table.sort(shares)
    local tenth = math.floor(#shares / 10)
    redis.call('HSET', PACE, 'low', string.format('%.3f', shares[tenth + 1]),
      'high', string.format('%.3f', shares[#shares - tenth]))
  end
end

admit(left_to_do)
left_to_do = left_to_do - #admitted
publish_queue(true)
note_hope()
-- Nothing grows without bound (rule 8): a closed sale's keys die, unless it opens again before they do.
-- A board that was built anew has an end as well until the first sweep of an open sale (rebuild.lua).
local unnoted = unnoted_stops(nil)
if closed then
  if ARGV[18] ~= '1' and unnoted == '' then redis.call('UNLINK', STOP, OWED) end
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[11], 'NX') end
elseif redis.call('TTL', BOARD_VERSION) >= 0 then
  for _, key in ipairs(KEYS) do
    if key ~= CAP then redis.call('PERSIST', key) end
  end
end
return {
  #ended, #silent, #ghosts, #lapsed, shut, #admitted, #kept + #longer, redis.call('ZCARD', QUEUE),
  redis.call('ZCARD', ACTIVE), (owed or left_to_do <= 0) and 1 or 0, unnoted,
}
