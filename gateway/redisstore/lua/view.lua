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

-- Returns the history, the head of the permission ('' if there is none) and, without a
-- permission, the newest event of a click ('' if there is none), which holds the number
-- of clicks.
local function view(permission, history)
  local head = record('LINDEX', history, 0)
  if not head then
    return '', '', ''
  end
  local live = record('GETRANGE', permission, 0, 18)
  local newest = ''
  if live == '' and head ~= '?' then
    newest = redis.call('LINDEX', history, -1)
    if not newest or newest == head then
      newest = ''
    end
  end
  return head, live, newest
end
