-- Part of the scripts that revoke. All of them have
-- KEYS  1 stream of operators' events, 2 account of live links, 3 terms and
--       4 names of the links' generation
-- ARGV  1 retention in ms, 2 age in ms at which operators' events go, 3 who and
--       why, for the history, 4 fields of the event, 5 generation
-- Ends a link, and returns r where this ended
-- it, u where it was used up and this ended its grants, l where it had ended, n
-- for a link that is not known, ? for a record that this version does not
-- understand. What has ended before is written to all the same, so that a repeat
-- can be waited for and a cut-off master refuses it.
local function revoke(permission, history, id)
  local operations, account, terms, names = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
  local retention, age, why, fields = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
  local head, link = record('LINDEX', history, 0), record('GET', permission)
  if link and not known(link, PERMISSION) or head and not known(head, HISTORY) then
    return '?'
  end
  if not head or int(head, 21, 6) <= now then
    return 'n'
  end
  local ended = string.byte(head, 2)
  if ended ~= 0 or int(head, 9, 6) <= now then
    -- A permission that came back, restored from a copy of the past, goes again.
    redis.call('DEL', permission)
    local granted = ended == 2 and link and int(link, 3, 6) > now
    if granted then
      local newest = operation(operations, id, 'v', string.sub(head, 32, 41), fields, age)
      redis.call('LSET', history, 0, string.sub(head, 1, 31) .. newest .. string.sub(head, 42))
    end
    redis.call('PEXPIREAT', history, int(head, 21, 6))
    return granted and 'u' or 'l'
  end

  local clicks = link and sub(link, 15, 19) or clicks_at_end(history, head)
  -- DEL first: it works without memory left, and what follows a write passes.
  redis.call('DEL', permission)
  local newest = operation(operations, id, 'v', string.sub(head, 32, 41), fields, age)
  local forgotten = now + retention
  redis.call('LSET', history, 0, string.sub(head, 1, 1) .. string.char(1) .. string.sub(head, 3, 14) ..
    pack(now, 6) .. pack(forgotten, 6) .. clicks .. newest .. string.sub(head, 42) .. why)
  redis.call('PEXPIREAT', history, forgotten)
  keep(terms, forgotten)
  keep(names, forgotten)
  live(account, int(head, 9, 6), -1)
  return 'r'
end
