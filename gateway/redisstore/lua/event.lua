-- Part of the scripts that append the event of a click: to the link's own list, behind
-- the history, and to a stream of the partition. An event in a stream is: id (16 bytes),
-- kind, method and outcome (a letter each), and the client address as
-- audit.client_address allows it. clicks is packed as in a permission (5 bytes). The list
-- keeps the last KEEP events. At most OTHERS of them are not downloads, so the list
-- always has the last 100 downloads. recordevent.lua enforces OTHERS.
local KEEP, OTHERS, SLACK = 132, 32, 32
local RECORD, FIELD = char(VERSION), tostring(VERSION) -- numbers are slow arguments
local stamp, trims = pack(now, 6), time[2] % 64 == 0
-- In the stream the event has the same milliseconds as in the list, because events.lua
-- searches the stream by them. '*' would take the time at which XADD runs.
local entry = string.format('%.0f-*', now)

local written = false

-- Appends the event of a click. Returns false, with nothing written, if the stream is broken.
local function append(history, stream, event, clicks, most)
  local added = attempt('XADD', stream, entry, FIELD, event)
  if type(added) == 'table' and added.err and string.find(added.err, 'equal or smaller', 1, true) then
    -- The clock was set back, and the stream has newer entries.
    added = attempt('XADD', stream, '*', FIELD, event)
  end
  if type(added) == 'table' and added.err then
    -- A server that cannot write refuses the first write. After a successful write only
    -- the stream can be broken, and the other clicks of the call need their answers.
    if written or string.find(added.err, '^WRONGTYPE') then
      return false
    end
    error(added)
  end
  written = true
  local length = call('RPUSHX', history, RECORD .. sub(event, 17, 19) .. stamp .. clicks .. sub(event, 20))
  if length > 1 + KEEP + SLACK then
    -- The history is the head of the list, so the script removes it before the trim and
    -- puts it back. It trims a few dozen events at a time, so most clicks need no trim.
    local head = call('LPOP', history)
    call('LTRIM', history, -KEEP, -1)
    call('LPUSH', history, head)
  end
  -- The clock selects about every 64th click to trim the stream, by whole nodes. The
  -- stream itself counts removed events (entries added minus length).
  if trims then
    call('XTRIM', stream, 'MAXLEN', '~', most)
  end
  return true
end

-- Returns the packed number of clicks of a link without permission: from the history of an
-- ended link, or from the newest event of an expired one.
local function clicks_at_end(history, head)
  if byte(head, 2) ~= 0 then
    return sub(head, 27, 31)
  end
  local newest = call('LINDEX', history, -1)
  return newest and newest ~= head and #newest >= 15 and sub(newest, 11, 15) or pack(0, 5)
end
