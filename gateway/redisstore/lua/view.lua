-- Part of the scripts that return a link: the history, the head of the
-- permission ('' where there is none) and, without permission, the newest
-- event of a click ('' where there is none), which knows the clicks.
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
