-- Part of the scripts that append a click's event: to the link's own list,
-- behind the history, and to the partition's stream; to neither where there is
-- no history.
local KEEP, SLACK = 100, 32

local function append(history, stream, id, what, clicks, address, most)
  local length = redis.call('RPUSHX', history,
    string.char(VERSION) .. what .. pack(now, 6) .. pack(clicks, 5) .. address)
  if length == 0 then
    return
  end
  redis.call('XADD', stream, '*', VERSION, id .. what .. address)
  if length > 1 + KEEP + SLACK then
    -- The history is the head of its list: lifted off for the cut. Cutting a
    -- few dozen at a time keeps this off the usual click.
    local head = redis.call('LPOP', history)
    redis.call('LTRIM', history, -KEEP, -1)
    redis.call('LPUSH', history, head)
  end
  -- By chance of the clock about every 64th click cuts the stream, by whole
  -- nodes. What is dropped is the stream's own account (entries added, length).
  if time[2] % 64 == 0 then
    redis.call('XTRIM', stream, 'MAXLEN', '~', most)
  end
end

-- The clicks of a link whose permission has gone: as the history says of a
-- revoked one, or as the newest event of an expired one does.
local function clicks_at_end(history, head)
  if string.byte(head, 2) ~= 0 then
    return int(head, 27, 5)
  end
  local newest = redis.call('LINDEX', history, -1)
  return newest and newest ~= head and int(newest, 11, 5) or 0
end
