-- Ends a link.
-- KEYS  1 permission, 2 history, 3 stream of operators' events,
--       4 account of live links
-- ARGV  1 id (16 bytes), 2 retention in ms, 3 age in ms at which operators'
--       events go, 4 who and why, for the history, 5 fields of the event
-- Returns {what, now, history, permission, newest event}, what as end.lua has it,
-- or {what} alone where that is n or ?.
local what = revoke(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
if what == 'n' or what == '?' then
  return {what}
end
return {what, now, view(KEYS[1], KEYS[2])}
