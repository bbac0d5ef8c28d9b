-- Appends an operators' event that changes no link: an erasure of addresses, a sign-in or
-- a sign-out.
-- KEYS  1 stream of operators' events
--       2 history of the link; a key that does not exist if the event is not about one link
-- ARGV  1 id (16 bytes)
--       2 fields of the event
--       3 age in ms at which operators' events are removed
-- Returns one of
--       1: appended
--       ?: this version cannot read the history
local head = call('LINDEX', KEYS[2], 0)
if head and not known(head, HISTORY) then
  return '?'
end
local previous = head and sub(head, 32, 41) or string.rep('\0', 10)
local newest = operation(KEYS[1], ARGV[1], 'c', previous, ARGV[2], ARGV[3])
if head then
  call('LSET', KEYS[2], 0, sub(head, 1, 31) .. newest .. sub(head, 42))
end
return 1
