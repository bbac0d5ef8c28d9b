-- Part of the scripts that append a click's event: to the link's own list,
-- behind the history, and to the partition's stream. The stream's events are: id (16 bytes), kind, method and outcome (a
-- letter each), and client address as it is kept. clicks is packed as a permission
-- has it (5 bytes).
-- The list keeps the last KEEP events, of which at most OTHERS are no downloads:
-- so the last 100 downloads are always there. note.lua sees to OTHERS.
local KEEP, OTHERS, SLACK = 132, 32, 32
local RECORD, FIELD = char(VERSION), tostring(VERSION) -- numbers are slow arguments
local stamp, cutting = pack(now, 6), time[2] % 64 == 0
-- In the stream the event has the same milliseconds as in the list, by which
-- events.lua finds it there. '*' would take the time at which XADD runs.
local entry = string.format('%.0f-*', now)

local written = false

-- Returns false, with nothing written, where the stream is none or broken.
local function append(history, stream, event, clicks, most)
  local added = attempt('XADD', stream, entry, FIELD, event)
  if type(added) == 'table' and added.err and string.find(added.err, 'equal or smaller', 1, true) then
    -- The clock was set back, and the stream has newer entries.
    added = attempt('XADD', stream, '*', FIELD, event)
  end
  if type(added) == 'table' and added.err then
    -- A server that refuses to write refuses the first write. After that it is the
    -- stream that is broken, and the other clicks of the call must have their answers.
    if written or string.find(added.err, '^WRONGTYPE') then
      return false
    end
    error(added)
  end
  written = true
  local length = call('RPUSHX', history, RECORD .. sub(event, 17, 19) .. stamp .. clicks .. sub(event, 20))
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
  return newest and newest ~= head and #newest >= 15 and sub(newest, 11, 15) or pack(0, 5)
end
