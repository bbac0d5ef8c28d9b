-- Ends a link. What has ended before is returned as it is, yet written to, so
-- that a repeat can be waited for and a cut-off master refuses it.
-- KEYS  1 permission, 2 history, 3 stream of operators' events,
--       4 account of live links
-- ARGV  1 id (16 bytes), 2 retention in ms, 3 age in ms at which operators'
--       events go, 4 who and why, for the history, 5 fields of the event
-- Returns {r, now, history, permission, newest event} where this ended it, l
-- instead of r where it had ended, or {n} for a link that is not known, or {?}
-- for a record that this version does not understand.
local head = redis.call('LINDEX', KEYS[2], 0)
local link = redis.call('GET', KEYS[1])
if link and string.byte(link, 1) ~= VERSION or head and string.byte(head, 1) ~= VERSION then
  return {'?'}
end
if not head or int(head, 21, 6) <= now then
  return {'n'}
end
if string.byte(head, 2) ~= 0 or int(head, 9, 6) <= now then
  -- A permission that came back, restored from a copy of the past, goes again.
  redis.call('DEL', KEYS[1])
  redis.call('PEXPIREAT', KEYS[2], int(head, 21, 6))
  return {'l', now, view(KEYS[1], KEYS[2])}
end

local clicks = link and int(link, 15, 5) or clicks_at_end(KEYS[2], head)
-- DEL first: it works without memory left, and what follows a write passes.
redis.call('DEL', KEYS[1])
local event = redis.call('XADD', KEYS[3], '*', VERSION,
  ARGV[1] .. 'v' .. string.sub(head, 32, 41) .. ARGV[5])
local ms, seq = string.match(event, '(%d+)-(%d+)')
local forgotten = now + ARGV[2]
redis.call('LSET', KEYS[2], 0, string.char(VERSION, 1) .. string.sub(head, 3, 14) ..
  pack(now, 6) .. pack(forgotten, 6) .. pack(clicks, 5) ..
  pack(tonumber(ms), 6) .. pack(tonumber(seq), 4) .. string.sub(head, 42) .. ARGV[4])
redis.call('PEXPIREAT', KEYS[2], forgotten)
redis.call('XTRIM', KEYS[3], 'MINID', '~', string.format('%.0f', math.max(0, now - ARGV[3])))
live(KEYS[4], int(head, 9, 6), -1)
return {'r', now, view(KEYS[1], KEYS[2])}
