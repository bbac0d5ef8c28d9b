-- Part of the scripts that append a click's event: to the link's own list,
-- behind the history, and to the partition's stream; to neither where there is
-- no history. The stream's events are: id (16 bytes), kind, method and outcome (a
-- letter each), and client address as it is kept. clicks is packed as a permission
-- has it (5 bytes).
local KEEP, SLACK = 100, 32
local RECORD, FIELD = char(VERSION), tostring(VERSION) -- numbers are slow arguments
local stamp, cutting = pack(now, 6), time[2] % 64 == 0

-- Returns false where the stream is none.
local function append(history, stream, event, clicks, most)
  local length = call('RPUSHX', history, RECORD .. sub(event, 17, 19) .. stamp .. clicks .. sub(event, 20))
  if length == 0 then
    return true
  end
  if type(attempt('XADD', stream, '*', FIELD, event)) == 'table' then
    return false
  end
  if length > 1 + KEEP + SLACK then
    -- The history is the head of its list: lifted off for the cut. Cutting a
    -- few dozen at a time keeps this off the usual click.
    local head = call('LPOP', history)
    call('LTRIM', history, -KEEP, -1)
    call('LPUSH', history, head)
  end
  -- By chance of the clock about every 64th click cuts the stream, by whole
  -- nodes. What is dropped is the stream's own account (entries added, length).
  if cutting then
    call('XTRIM', stream, 'MAXLEN', '~', most)
  end
  return true
end

-- The clicks of a link whose permission has gone, packed: as the history says of
-- a revoked one, or as the newest event of an expired one does.
local function clicks_at_end(history, head)
  if byte(head, 2) ~= 0 then
    return sub(head, 27, 31)
  end
  local newest = call('LINDEX', history, -1)
  return newest and newest ~= head and sub(newest, 11, 15) or pack(0, 5)
end
