-- Part of the scripts that write and read the secondary index: a hash that lists, for each
-- attribute, links in order of issue. Field o<attribute>: the number of closed chunks (3
-- bytes) and the open chunk. Field c<number><attribute>: a closed chunk. An entry is a
-- position in microseconds (7 bytes) and an id. Field s: the largest number of microseconds
-- by which a position is later than its link's time of issue: after the clock was set
-- back, new positions still follow the last one.
local CHUNK, ENTRY, SHIFT = 32, 23, 's'

-- Returns the number of an attribute's open chunk and a function that reads a chunk by
-- its number, or nil.
local function chunks(key, attribute)
  local open = redis.call('HGET', key, 'o' .. attribute)
  if not open then
    return nil
  end
  local last = int(open, 1, 3)
  return last, function(n)
    if n == last then
      return string.sub(open, 4)
    end
    return redis.call('HGET', key, 'c' .. pack(n, 3) .. attribute)
  end
end

-- Returns the newest chunk whose oldest entry is not newer than newest, or 0. Chunks are
-- in order.
local function seek(last, chunk, newest)
  local low, high = 0, last
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if int(chunk(middle), 1, 7) <= newest then
      low = middle
    else
      high = middle - 1
    end
  end
  return low
end
