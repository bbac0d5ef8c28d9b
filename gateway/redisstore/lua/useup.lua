-- Part of the scripts that can spend a link's last click: marks it used up. Its
-- permission stays for window milliseconds, for grants alone.
local function use_up(permission, history, account, terms, names, head, clicks, window, retention)
  local till = now + window
  local forgotten = math.max(now + retention, till)
  redis.call('SETRANGE', permission, 2, pack(till, 6))
  redis.call('PEXPIREAT', permission, till)
  redis.call('LSET', history, 0, string.char(string.byte(head, 1), 2) .. string.sub(head, 3, 14) ..
    pack(now, 6) .. pack(forgotten, 6) .. pack(clicks, 5) .. string.sub(head, 32))
  redis.call('PEXPIREAT', history, forgotten)
  keep(terms, forgotten)
  keep(names, forgotten)
  live(account, int(head, 9, 6), -1)
end
