-- Appends the event of a click whose outcome was not known to the script that
-- judged it.
-- KEYS  1 permission, 2 history, 3 stream of clicks' events
-- ARGV  1 id (16 bytes), 2 client address as it is kept, 3 the most events that
--       the stream keeps, 4 kind, method and outcome (3 bytes)
-- Returns 1, or 0 where the link is not known any more, or ? for a record that
-- this version does not understand.
local head = call('LINDEX', KEYS[2], '0')
if not head then
  return 0
end
local link = call('GET', KEYS[1])
if not known(head) or link and not known(link) then
  return '?'
end
local clicks = link and sub(link, 15, 19) or clicks_at_end(KEYS[2], head)
return append(KEYS[2], KEYS[3], ARGV[1] .. ARGV[4] .. ARGV[2], clicks, ARGV[3]) and 1 or '?'
