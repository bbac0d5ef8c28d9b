-- Appends the event of a click that admit.lua left to the caller: a refusal, a page, a
-- failure, or a download by a grant.
-- KEYS  1 permission
--       2 history
--       3 stream for the kind of event
-- ARGV  1 id (16 bytes)
--       2 client address, as the event stores it
--       3 largest number of events in the stream
--       4 kind, method and outcome (3 bytes)
-- Returns one of
--       1: appended
--       0: the link is unknown
--       2: nothing written, because the event is a download and the link has ended
--       ?: this version cannot read a record
local head = call('LINDEX', KEYS[2], '0')
if not head then
  return 0
end
local link = call('GET', KEYS[1])
if not known(head, HISTORY) or link and not known(link, PERMISSION) then
  return '?'
end
local download = sub(ARGV[4], 1, 1) == 'd'
if download and (byte(head, 2) == 1 or not link or int(link, 3, 6) <= now) then
  return 2
end
if not download and call('LINDEX', KEYS[2], OTHERS) then
  -- An event other than a download replaces the oldest such event, so that it displaces
  -- no download.
  local oldest, others = nil, 0
  for _, event in ipairs(call('LRANGE', KEYS[2], 1, -1)) do
    if sub(event, 2, 2) ~= 'd' then
      oldest, others = oldest or event, others + 1
    end
  end
  if others >= OTHERS then
    call('LREM', KEYS[2], 1, oldest)
  end
end
local clicks = link and sub(link, 15, 19) or clicks_at_end(KEYS[2], head)
return append(KEYS[2], KEYS[3], ARGV[1] .. ARGV[4] .. ARGV[2], clicks, ARGV[3]) and 1 or '?'
