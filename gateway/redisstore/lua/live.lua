-- Part of the scripts that change the number of live links. Each partition has one
-- counter, a hash. Field n: the links that are neither revoked nor removed by a count.
-- Field h: the first hour that may hold expired links. Field <hour>: for each minute of
-- the hour in which links expire, the minute (1 byte) and the number of links (4 bytes).

-- Adds by links that end at expires, in milliseconds.
local function count_live(key, expires, by)
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

-- Marks a link as used up, after its last click was spent. The permission stays for
-- window milliseconds, only for grants.
local function use_up(permission, history, counter, index, prefix_index, head, clicks, window, retention)
  local till = now + window
  local forgotten = math.max(now + retention, till)
  redis.call('SETRANGE', permission, 2, pack(till, 6))
  redis.call('PEXPIREAT', permission, till)
  redis.call('LSET', history, 0, string.char(string.byte(head, 1), 2) .. string.sub(head, 3, 14) ..
    pack(now, 6) .. pack(forgotten, 6) .. pack(clicks, 5) .. string.sub(head, 32))
  redis.call('PEXPIREAT', history, forgotten)
  -- This repeats keep of operation.lua, so that a spent click creates one function less.
  for _, key in ipairs({index, prefix_index}) do
    if redis.call('PEXPIRETIME', key) < forgotten then
      redis.call('PEXPIREAT', key, forgotten)
    end
  end
  count_live(counter, int(head, 9, 6), -1)
end
