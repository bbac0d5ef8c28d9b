-- Reads a session of the console, and extends it if the request is an activity of the
-- operator. Both limits are those of the caller, because a configuration may have lowered
-- them since the session began.
-- KEYS  1 session
--       2 sessions of the partition
-- ARGV  1 hash of the session's ID (32 bytes)
--       2 longest time without activity in ms
--       3 longest life since the start in ms
--       4 1 if the request is an activity, else 0
-- Returns {value, start in ms}; {'', 0} if there is no such session, or one of another
-- version.
local record = call('GET', KEYS[1])
if not record or #record < SESSION or byte(record, 1) ~= VERSION then
  return {'', 0}
end
local started, active = int(record, 2, 6), int(record, 8, 6)
local ends = started + ARGV[3]
if now >= math.min(active + ARGV[2], ends) then
  -- The caller refuses the session in any case, so the removal may fail.
  attempt('DEL', KEYS[1])
  attempt('ZREM', KEYS[2], ARGV[1])
  return {'', 0}
end
if ARGV[4] == '1' then
  local written = attempt('SETRANGE', KEYS[1], 7, pack(now, 6))
  if type(written) == 'number' then
    ends = math.min(now + ARGV[2], ends)
    call('PEXPIREAT', KEYS[1], ends)
    list_session(KEYS[2], ARGV[1], ends)
  elseif not string.find(written.err, 'OOM', 1, true) and not string.find(written.err, 'MISCONF', 1, true) then
    error(written)
  end
  -- While memory or disk are full, an operator must still be able to revoke links. The
  -- session stays, and ends at the time that was set before.
end
return {sub(record, SESSION + 1), started}
