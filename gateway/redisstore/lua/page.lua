-- Reads links of one term of one generation of a partition, newest first.
-- KEYS  1 terms of the generation
-- ARGV  1 term, 2 the newest position wanted, in microseconds, 3 how many
-- Returns the entries (position in 7 bytes, id in 16), newest first, in one
-- string. How chunks are laid out stands in create.lua.
local ENTRY = 23
local term, newest, want = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local open = redis.call('HGET', KEYS[1], 'o' .. term)
if not open then
  return ''
end
local last = int(open, 1, 3)
open = string.sub(open, 4)

local function chunk(n)
  if n == last then
    return open
  end
  return redis.call('HGET', KEYS[1], 'c' .. pack(n, 3) .. term)
end

-- The newest chunk whose oldest entry is old enough: chunks are in order.
local low, high = 0, last
while low < high do
  local middle = math.ceil((low + high) / 2)
  if int(chunk(middle), 1, 7) <= newest then
    low = middle
  else
    high = middle - 1
  end
end

local found = {}
for n = low, 0, -1 do
  local entries = chunk(n)
  for i = #entries - ENTRY + 1, 1, -ENTRY do
    if #found == want then
      return table.concat(found)
    end
    if int(entries, i, 7) <= newest then
      found[#found + 1] = string.sub(entries, i, i + ENTRY - 1)
    end
  end
end
return table.concat(found)
