-- Part of the scripts that keep account of live links: one hash a partition.
-- Field n: the links that are neither revoked nor dropped by a count; field h:
-- the first hour that may hold what has expired; field <hour>: for each minute
-- of it in which links expire, the minute (1 byte) and how many (4 bytes).
local function live(key, expires, by)
  local minute = math.ceil(expires / 60000)
  local hour, slot = math.floor(minute / 60), minute % 60
  local before = redis.call('HGET', key, hour) or ''
  local after, found = '', false
  for i = 1, #before, 5 do
    local count = int(before, i + 1, 4)
    if string.byte(before, i) == slot then
      count, found = count + by, true
    end
    if count > 0 then
      after = after .. string.sub(before, i, i) .. pack(count, 4)
    end
  end
  if by > 0 and not found then
    after = after .. string.char(slot) .. pack(by, 4)
  end
  if not found and by < 0 then
    return
  end
  if after == '' then
    redis.call('HDEL', key, hour)
  else
    redis.call('HSET', key, hour, after)
  end
  redis.call('HINCRBY', key, 'n', by)
  local first = redis.call('HGET', key, 'h')
  if not first or hour < tonumber(first) then
    redis.call('HSET', key, 'h', hour)
  end
end
