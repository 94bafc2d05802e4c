-- Finds the best seats together and gives them to the visitor, in one step (F8). The rule: core/seats/best_seats.py.
-- KEYS 1-12, ARGV 1-9: see holding.lua
-- KEYS 13 the hall's table (core/seats/best_seats_table.py)
-- ARGV 10 digest of the table  11 seats wanted  12 category, or -1  13 zone, or -1  14 '1': wheelchair places
--      15 'hold', or 'pick': only says which  16 how many categories have seats
--      17 companions that a wheelchair place may have beside it
--      18 the sizes of the groups that sit together, 'seats,...', the largest first; their sum is 11
-- Returns what holding.lua says, {'picked', ordinal...}, {'no_table'}, or {'not_together', most together, then the other
-- categories that have enough}
--#include holding.lua

local TABLE, HEADER_BYTES, BLOCK_BYTES, RUN_BYTES = KEYS[13], 38, 15, 15
local total, category, zone = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local accessible = ARGV[14] == '1'
local companions = accessible and tonumber(ARGV[17]) or 0
-- Seats of the group that is looked for, and how many wheelchair places it needs.
local count, needed
local function look_for(seats)
  count = seats
  needed = companions > 0 and math.ceil(seats / (1 + companions)) or 0
end
local refusal = not_now()
if refusal then return answer(refusal) end
local header = redis.call('GETRANGE', TABLE, 0, HEADER_BYTES - 1)
if #header < HEADER_BYTES or string.sub(header, 1, 16) ~= ARGV[10] then return answer({ 'no_table' }) end
refusal = too_many(total)
if refusal then return answer(refusal) end

local RUNS, FAR, SEATS, KINDS, BORDERS, blocks = struct.unpack('>I4I4I4I4I4I2', header, 17)
local directory = redis.call('GETRANGE', TABLE, HEADER_BYTES, HEADER_BYTES + blocks * BLOCK_BYTES - 1)
local byte, find = string.byte, string.find

local function part(at, bytes) return redis.call('GETRANGE', TABLE, at, at + bytes - 1) end

-- Ordinals of `seats` positions from a position on, as text.
local function ordinals(position, seats)
  local text, found = part(SEATS + 3 * position, 3 * seats), {}
  for i = 1, seats do
    local a, b, c = byte(text, 3 * i - 2, 3 * i)
    found[i] = integer((a % 128 * 256 + b) * 256 + c)
  end
  return found
end

-- Of `seats` positions from a position on, 1 for each wheelchair place and 0 for each companion's seat; and their sum.
local function chairs(position, seats)
  local text, found, sum = part(SEATS + 3 * position, 3 * seats), {}, 0
  for i = 1, seats do
    found[i] = byte(text, 3 * i - 2) < 128 and 1 or 0
    sum = sum + found[i]
  end
  return found, sum
end

-- Calls visit(text, position, mixed, category) for every run that the wish allows, nearest first; `text` has a byte a
-- seat, in the order of the line. `together` free seats must be in it. `far(distance)`: nothing from there on is wanted.
-- `hopeless(states, first)`, may be nil: nothing is wanted of a block whose runs are in sequence.
local function each_run(together, far, visit, hopeless)
  local wanted = string.rep('\0', together)
  for b = 0, blocks - 1 do
    local a1, a2, a3, z1, z2, z3, n1, n2, r1, r2, o1, o2, o3, o4, sequence =
      byte(directory, b * BLOCK_BYTES + 1, (b + 1) * BLOCK_BYTES)
    if far(n1 * 256 + n2) then return end
    local first = (a1 * 256 + a2) * 256 + a3
    local states = redis.call('GETRANGE', board, first, (z1 * 256 + z2) * 256 + z3)
    if find(states, sequence == 1 and wanted or '\0', 1, true)
      and not (hopeless and sequence == 1 and hopeless(states, first)) then
      local runs = r1 * 256 + r2
      local text = part(RUNS + ((o1 * 256 + o2) * 256 + o3) * 256 + o4, runs * RUN_BYTES)
      for r = 0, runs - 1 do
        local p1, p2, p3, l1, l2, b1, b2, b3, d1, d2, flags, k1, k2, y1, y2 =
          byte(text, r * RUN_BYTES + 1, (r + 1) * RUN_BYTES)
        if far(d1 * 256 + d2) then break end
        local mixed = flags >= 8
        if (flags % 8 >= 4) == accessible and (zone < 0 or zone == y1 * 256 + y2) then
          local position, seats = (p1 * 256 + p2) * 256 + p3, l1 * 256 + l2
          local line
          if flags % 2 == 1 then
            local at = (b1 * 256 + b2) * 256 + b3 - first
            line = string.sub(states, at + 1, at + seats)
            if flags % 4 >= 2 then line = string.reverse(line) end
          else
            local bytes = {}
            for i, ordinal in ipairs(ordinals(position, seats)) do
              bytes[i] = string.sub(states, ordinal - first + 1, ordinal - first + 1)
            end
            line = table.concat(bytes)
          end
          if find(line, wanted, 1, true) then visit(line, position, mixed, k1 * 256 + k2) end
        end
      end
    end
  end
end

-- Calls visit(first, last, category) for stretches [from, to] of a run, cut where the category changes.
local function each_kind(position, from, to, visit)
  local kinds = part(KINDS + 2 * (position + from - 1), 2 * (to - from + 1))
  local first = from
  for i = from, to do
    local at = 2 * (i - from) + 1
    if i == to or string.sub(kinds, at, at + 1) ~= string.sub(kinds, at + 2, at + 3) then
      local high, low = byte(kinds, at, at + 1)
      visit(first, i, high * 256 + low)
      first = i + 1
    end
  end
end

-- The best way so far: `rank` counts wheelchair places that the group does not need (eight times), single seats left over
-- (twice), and a group that is not put whole groups away from an end; then the sum of the distances; where it begins.
local rank, cost, where

-- Every way to place the group on [first, last], which are free and wanted, within the free seats [from, to].
local function place(position, from, to, first, last)
  local size = last - first + 1
  if size < count then return end
  local far = { byte(part(FAR + 2 * (position + first - 1), 2 * size), 1, -1) }
  local sum = 0
  for i = 1, count do sum = sum + far[2 * i - 1] * 256 + far[2 * i] end
  local chair, sitting = nil, 0
  if needed > 0 then
    chair = chairs(position + first - 1, size)
    for i = 1, count do sitting = sitting + chair[i] end
  end
  for i = 0, size - count do
    if i > 0 then
      local j = i + count
      sum = sum - far[2 * i - 1] * 256 - far[2 * i] + far[2 * j - 1] * 256 + far[2 * j]
      if chair then sitting = sitting - chair[i] + chair[j] end
    end
    local this = chair and 8 * (sitting - needed) or 0
    if first + i - from == 1 then this = this + 2 end
    if to - first - i - count + 1 == 1 then this = this + 2 end
    if i % count > 0 and (size - count - i) % count > 0 then this = this + 1 end
    if sitting >= needed and (not rank or this < rank or this == rank and sum < cost) then
      rank, cost, where = this, sum, position + first + i - 1
    end
  end
end

-- True once a way that leaves one single seat is known and nothing nearer is to come: then only stretches of free seats
-- count that are as long as the group, or longer by two.
local strict = false

local function is_hopeless(states, first)
  if not strict then return false end
  local borders
  local from, to = find(states, '%z+')
  while from do
    local size = to - from + 1
    if size == count or size > count + 1 then return false end
    if size == count + 1 then
      -- Two runs may meet in it.
      borders = borders or part(BORDERS + first, #states)
      local border = find(borders, '\1', from + 1, true)
      if border and border <= to then return false end
    end
    from, to = find(states, '%z+', to + 1)
  end
  return true
end

local function is_far(near)
  if not rank then return false end
  local beyond = near * count >= cost
  strict = rank == 2 and beyond
  return rank == 0 and beyond
end

local function search()
  rank, cost, where, strict = nil, nil, nil, false
  each_run(count, is_far, function(line, position, mixed, kind)
    if category >= 0 and not mixed and kind ~= category then return end
    local from, to = find(line, '%z+')
    while from do
      local size = to - from + 1
      if size >= count and not (strict and size == count + 1) then
        if category >= 0 and mixed then
          each_kind(position, from, to, function(first, last, its)
            if its == category then place(position, from, to, first, last) end
          end)
        else
          place(position, from, to, from, to)
        end
      end
      from, to = find(line, '%z+', to + 1)
    end
  end, is_hopeless)
end

-- Calls visit(kind, seats) for every stretch of at least so many free seats of one kind that are together (of any kinds,
-- with kind -1, where the wish names none), until it answers true.
local function each_stretch(together, visit)
  local done = false
  local function look(kind, position, first, last)
    local seats = last - first + 1
    if companions > 0 and seats >= together then
      local _, places = chairs(position + first - 1, seats)
      seats = math.min(seats, places * (1 + companions))
    end
    if seats >= together and not done then done = visit(kind, seats) end
  end
  each_run(together, function() return done end, function(line, position, mixed, kind)
    local from, to = find(line, '%z+')
    while from and not done do
      if category >= 0 and mixed then
        each_kind(position, from, to, function(first, last, its) look(its, position, first, last) end)
      else
        look(category >= 0 and kind or -1, position, from, to)
      end
      from, to = find(line, '%z+', to + 1)
    end
  end)
end

-- The answer when nothing is together: the most that are, and the other categories that have enough.
local function not_together()
  -- Where so many are together, fewer are: the largest number is found by halving.
  local some, none = 0, count
  while none - some > 1 do
    local middle, there = math.floor((some + none) / 2), nil
    each_stretch(middle, function(kind, seats)
      if kind == category then there = seats end
      return there ~= nil
    end)
    if there then some = math.min(there, none - 1) else none = middle end
  end
  local reply, known, left = { 'not_together', some }, {}, tonumber(ARGV[16]) - 1
  if category >= 0 and left > 0 then
    each_stretch(count, function(kind)
      if not known[kind] then
        known[kind] = true
        reply[#reply + 1] = kind
        left = left - 1
      end
      return left == 0
    end)
  end
  return reply
end

-- Seats that are for others first are left out of the search, by the board, until this script ends: all of them at once,
-- when it has met the first.
local masked, refused = {}, nil

local function mask(seats)
  refused = not_yet(seats)
  if not refused then return false end
  local states, seen, free = redis.call('GETRANGE', board, 0, -1), {}, {}
  for _, list in ipairs({ seats, marked_seats(shares, network) }) do
    for _, ordinal in ipairs(list) do
      if not seen[ordinal] and byte(states, ordinal + 1) == AVAILABLE then
        seen[ordinal] = true
        free[#free + 1] = ordinal
      end
    end
  end
  local _, which = not_yet(free)
  for _, ordinal in ipairs(which or {}) do
    masked[#masked + 1] = ordinal
    redis.call('SETRANGE', board, ordinal, string.char(HELD))
  end
  return true
end

-- A search is milliseconds of a large hall: after so many of them nothing more is looked for.
local SEARCHES = 40
local searches = 0

-- A seat that the board offers though it has a state is somebody's: the board is put right, and the search goes on.
local function find_seats()
  for _ = 1, 20 do
    if searches >= SEARCHES then return end
    searches = searches + 1
    search()
    if not rank then return end
    local seats, hidden = ordinals(where, count), false
    for _, ordinal in ipairs(seats) do
      if redis.call('EXISTS', prefix .. ordinal) == 1 then
        put_byte(board, ordinal, HELD, changes)
        hidden = true
      end
    end
    if not hidden and not mask(seats) then return seats end
  end
end

local sizes, chosen = {}, {}
for seats in string.gmatch(ARGV[18], '%d+') do sizes[#sizes + 1] = tonumber(seats) end

local function show_free(seats)
  for _, ordinal in ipairs(seats) do redis.call('SETRANGE', board, ordinal, string.char(AVAILABLE)) end
end

-- One group after the other: what one has is gone for the next.
local function find_groups(first, last, step)
  local all = {}
  for i = first, last, step do
    look_for(sizes[i])
    local seats = find_seats()
    if not seats then return nil end
    for _, ordinal in ipairs(seats) do
      all[#all + 1] = ordinal
      if #sizes > 1 then
        chosen[#chosen + 1] = ordinal
        redis.call('SETRANGE', board, ordinal, string.char(HELD))
      end
    end
  end
  return all
end

-- The largest first; where a group finds nothing then, the smallest first: the large ones may have been put where several
-- small ones had fitted.
local function find_all()
  local all = find_groups(1, #sizes, 1)
  if not all and not refused and searches < SEARCHES and sizes[1] ~= sizes[#sizes] then
    show_free(chosen)
    chosen = {}
    all = find_groups(#sizes, 1, -1)
  end
  return all
end

-- Whatever happens in the search, the board gets its bytes back.
local well, seats, none = pcall(function()
  local found = find_all()
  show_free(chosen)
  chosen = {}
  if found then return found end
  local hidden = rank or searches >= SEARCHES
  look_for(total)
  return nil, refused or hidden and { 'not_together', 0 } or not_together()
end)
show_free(chosen)
show_free(masked)
if not well then error(seats, 0) end
if none then return answer(none) end
if ARGV[15] == 'hold' then return give(seats) end
table.insert(seats, 1, 'picked')
return answer(seats)
