-- Appends the event that an admitted click failed after all.
-- KEYS  1 permission, 2 history, 3 stream of clicks' events
-- ARGV  1 id (16 bytes), 2 method (g, h, p), 3 client address, packed,
--       4 the most events that the stream keeps, 5 outcome code
-- Returns 1, or 0 where the link is not known any more, or ? for a record that
-- this version does not understand.
local head = redis.call('LINDEX', KEYS[2], 0)
if not head then
  return 0
end
local link = redis.call('GET', KEYS[1])
if string.byte(head, 1) ~= VERSION or link and string.byte(link, 1) ~= VERSION then
  return '?'
end
local clicks = link and int(link, 15, 5) or clicks_at_end(KEYS[2], head)
append(KEYS[2], KEYS[3], ARGV[1], 'f' .. ARGV[2] .. ARGV[5], clicks, ARGV[3], ARGV[4])
return 1
