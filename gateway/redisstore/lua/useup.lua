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
  -- As keep.lua does, without making a function for each click that is spent.
  for _, index in ipairs({terms, names}) do
    if redis.call('PEXPIRETIME', index) < forgotten then
      redis.call('PEXPIREAT', index, forgotten)
    end
  end
  live(account, int(head, 9, 6), -1)
end
