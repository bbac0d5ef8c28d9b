-- Reads the events of one link. An operators' event names the previous one of its link, so
-- reading them needs no search.
-- KEYS  1 history
--       2 stream of operators' events
--       3 stream of downloads
--       4 stream of refusals
-- ARGV  1 place of the first operators' event to read (10 bytes), '' for the newest
--       2 largest number of operators' events
--       3 id (16 bytes)
-- Returns one of
--       {l, clicks, operators' events, sequence numbers}: the events of clicks, oldest first;
--         the operators' events, newest first, each as time, sequence number and value; for
--         each click the sequence number in its stream, '' if the stream has no such entry
--       {n}: the link is unknown
--       {?}: this version cannot read a record
local list = redis.call('LRANGE', KEYS[1], 0, -1)
local head = table.remove(list, 1)
if not head then
  return {'n'}
end
if not known(head, HISTORY) then
  return {'?'}
end
if int(head, 21, 6) <= now then
  return {'n'}
end
local chain, at = {}, ARGV[1]
if at == '' then
  at = string.sub(head, 32, 41)
end
for _ = 1, tonumber(ARGV[2]) do
  local ms, seq = int(at, 1, 6), int(at, 7, 4)
  local entry = ms > 0 and redis.call('XRANGE', KEYS[2],
    string.format('%.0f-%.0f', ms, seq), string.format('%.0f-%.0f', ms, seq))[1]
  if not entry then
    break
  end
  if entry[2][1] ~= tostring(VERSION) then
    return {'?'}
  end
  local value = entry[2][2]
  chain[#chain + 1] = ms
  chain[#chain + 1] = seq
  chain[#chain + 1] = value
  at = string.sub(value, 18, 27)
end

-- Equal events of one millisecond have the same order in the list and in the stream, and
-- both drop the oldest first. So the loop compares them from the newest on.
local sequences, alike = {}, {}
for i = #list, 1, -1 do
  local event = list[i]
  local stream = KEYS[sub(event, 2, 2) == 'd' and 3 or 4]
  local group = stream .. sub(event, 5, 10)
  if #event >= 15 and not alike[group] then
    alike[group] = true
    local ms = string.format('%.0f', int(event, 5, 6))
    for _, entry in ipairs(attempt('XREVRANGE', stream, ms, ms)) do
      local value = entry[2][2]
      if entry[2][1] == tostring(VERSION) and sub(value, 1, 16) == ARGV[3] then
        local same = group .. sub(value, 17)
        alike[same] = alike[same] or {}
        table.insert(alike[same], 1, string.match(entry[1], '%d+$'))
      end
    end
  end
  local same = alike[group .. sub(event, 2, 4) .. sub(event, 16)]
  sequences[i] = same and table.remove(same) or ''
end
return {'l', list, chain, sequences}
