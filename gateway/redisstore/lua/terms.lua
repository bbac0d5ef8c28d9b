-- Part of the scripts that keep and read terms: a hash in which each term has
-- links in order of issue. Field o<term> holds the number of closed chunks (3
-- bytes) and the open chunk, c<number><term> a closed one. An entry is a position
-- in microseconds (7 bytes) and an id. Field s is the most microseconds by which a
-- position is behind its link's time of issue: after the clock was set back, new
-- positions still go on behind the last.
local CHUNK, ENTRY, SHIFT = 32, 23, 's'

-- The number of a term's open chunk and what reads its chunks, or nil.
local function chunks(key, term)
  local open = redis.call('HGET', key, 'o' .. term)
  if not open then
    return nil
  end
  local last = int(open, 1, 3)
  return last, function(n)
    if n == last then
      return string.sub(open, 4)
    end
    return redis.call('HGET', key, 'c' .. pack(n, 3) .. term)
  end
end

-- The newest chunk whose oldest entry is old enough, 0 where none is: chunks are
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
