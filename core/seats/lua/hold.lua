-- Adds seats to a visitor's basket, all or nothing (S3).
-- KEYS, ARGV 1-9: see holding.lua
-- ARGV 10 'check' or 'trust' (trust: that nobody holds them has been checked under a lock or a version)
--      11 '' or, where single seats must not be left over: 'ordinal,ordinal,...;...', the runs with seats of these
--      12... ordinals, without duplicates
-- Returns what holding.lua says, {'no_such_seat', ordinal...}, {'leaves_single', ordinal...}, or
--         {'taken', 'ordinal,...' of the taken, end of the session in ms, 'ordinal,...' of the visitor's own}
--#include holding.lua

local refusal = not_now()
if refusal then return answer(refusal) end
local own = {}
if basket then for _, ordinal in ipairs(basket.seats) do own[ordinal] = true end end

local size = redis.call('STRLEN', board)
local unknown, taken, wanted = { 'no_such_seat' }, {}, {}
for i = 12, #ARGV do
  local ordinal = ARGV[i]
  if tonumber(ordinal) >= size then
    unknown[#unknown + 1] = ordinal
  elseif not own[ordinal] then
    wanted[#wanted + 1] = ordinal
    local byte = seat_byte(board, ordinal)
    -- Whatever the caller has checked: what PostgreSQL has sold or blocked meanwhile stays so.
    if byte == SOLD or byte == BLOCKED
      or ARGV[10] == 'check' and (byte == HELD or redis.call('EXISTS', prefix .. ordinal) == 1) then
      taken[#taken + 1] = ordinal
    end
  end
end

-- Seats that would be free with no free neighbour, where the free seats around them leave another way: of a stretch that
-- is longer by one than what is taken of it, one is left over whatever is taken.
local function left_single()
  local going, single = {}, { 'leaves_single' }
  for _, ordinal in ipairs(wanted) do going[ordinal] = true end
  for run in string.gmatch(ARGV[11], '[^;]+') do
    local stretch, takes = {}, 0
    local function judge()
      if takes > 0 and #stretch ~= takes + 1 then
        for i, ordinal in ipairs(stretch) do
          local before, after = stretch[i - 1], stretch[i + 1]
          if not going[ordinal] and (not before or going[before]) and (not after or going[after]) then
            single[#single + 1] = ordinal
          end
        end
      end
      stretch, takes = {}, 0
    end
    for ordinal in string.gmatch(run, '%d+') do
      if seat_byte(board, ordinal) == AVAILABLE then
        stretch[#stretch + 1] = ordinal
        if going[ordinal] then takes = takes + 1 end
      else
        judge()
      end
    end
    judge()
  end
  return #single > 1 and single or nil
end

-- With what is true of the visitor, and until when: for a while that is known without asking again
-- (core/seats/known_taken.py). Of who has bought it is not: how many seats are too many is to be counted here.
local function all_taken()
  local _, bought = bought_seats(shares, visitor)
  local till = bought > 0 and 0 or math.min(session_end, basket and basket.till or session_end)
  return { 'taken', table.concat(taken, ','), integer(till), basket and table.concat(basket.seats, ',') or '' }
end

if #unknown > 1 then
  refusal = unknown
else
  refusal = too_many(#wanted) or #taken > 0 and all_taken() or ARGV[11] ~= '' and left_single() or (not_yet(wanted))
end
if refusal then return answer(refusal) end
return give(wanted)
