-- Part of the scripts that read whole links.

-- Runs a command that reads a record. For a key of another type it returns '?', which is
-- not a known version, because one such key must not fail the other links of the call.
-- Any other error ends the script.
local function record(...)
  local value = attempt(...)
  if type(value) ~= 'table' then
    return value
  end
  if not string.find(value.err, '^WRONGTYPE') then
    error(value)
  end
  return '?'
end

-- The largest number of events in a link's list that are not downloads (OTHERS of
-- event.lua).
local NOT_DOWNLOADS = 32

-- Returns the packed time of the newest download in a link's list, or ''. newest is the
-- last event of the list. The newest download is one of the last NOT_DOWNLOADS + 1 events.
local function last_download(history, newest)
  if byte(newest, 2) ~= 100 then -- the kind d
    for _, event in ipairs(redis.call('LRANGE', history, -NOT_DOWNLOADS - 1, -1)) do
      if byte(event, 2) == 100 then
        newest = event
      end
    end
  end
  return byte(newest, 2) == 100 and #newest >= 15 and sub(newest, 5, 10) or ''
end

-- Returns the history, the head of the permission ('' if there is none), without a
-- permission the newest event of a click ('' if there is none), which holds the number of
-- clicks, and the time of the last download (6 bytes, '' if there is none).
local function view(permission, history)
  local head = record('LINDEX', history, 0)
  if not head then
    return '', '', '', ''
  end
  local live = record('GETRANGE', permission, 0, 18)
  local newest, used = '', ''
  if head ~= '?' then
    newest = redis.call('LINDEX', history, -1)
    if not newest or newest == head then
      newest = ''
    else
      used = last_download(history, newest)
    end
  end
  return head, live, live == '' and newest or '', used
end
