-- Part of the script that labels a link after its issue.

-- Inserts a link into an attribute at its place by time of issue, unless it is there
-- already. The chunk may grow beyond the usual length.
local function insert(key, attribute, at, id)
  local last, chunk = chunks(key, attribute)
  if not last then
    redis.call('HSET', key, 'o' .. attribute, string.char(0, 0, 0) .. pack(at, 7) .. id)
    return
  end
  -- An existing entry of the link may have a later position than at: at is cut to
  -- milliseconds, and field s holds the largest shift.
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
  -- Positions are unique: a listing that continues after one would miss a second entry.
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
    redis.call('HSET', key, 'o' .. attribute, pack(n, 3) .. entries)
  else
    redis.call('HSET', key, 'c' .. pack(n, 3) .. attribute, entries)
  end
end
