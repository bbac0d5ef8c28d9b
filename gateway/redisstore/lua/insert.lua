-- Part of the script that labels a link after its issue: puts it into a term at
-- its place by time of issue, unless it is there. A chunk may become longer than
-- others are.
local function insert(key, term, at, id)
  local last, chunk = chunks(key, term)
  if not last then
    redis.call('HSET', key, 'o' .. term, string.char(0, 0, 0) .. pack(at, 7) .. id)
    return
  end
  -- Where the link is there already, its position is later by what is cut from its
  -- time of issue, less than a millisecond, and by the shift.
  local n = seek(last, chunk, at)
  local latest = at + 1000 + (redis.call('HGET', key, SHIFT) or 0)
  for m = n, last do
    local entries = chunk(m)
    if m > n + 1 and int(entries, 1, 7) > latest then
      break
    end
    for i = 8, #entries, ENTRY do
      if string.sub(entries, i, i + 15) == id then
        return
      end
    end
  end
  -- No two have one position: whoever reads on after it would miss the other.
  local entries, i
  while true do
    n = seek(last, chunk, at)
    entries, i = chunk(n), 1
    while i < #entries and int(entries, i, 7) < at do
      i = i + ENTRY
    end
    if i > #entries or int(entries, i, 7) > at then
      break
    end
    at = at + 1
  end
  entries = string.sub(entries, 1, i - 1) .. pack(at, 7) .. id .. string.sub(entries, i)
  if n == last then
    redis.call('HSET', key, 'o' .. term, pack(n, 3) .. entries)
  else
    redis.call('HSET', key, 'c' .. pack(n, 3) .. term, entries)
  end
end
