-- Reads the events of one link.
-- KEYS  1 history, 2 stream of operators' events
-- ARGV  1 the operators' event to begin with (10 bytes), '' for the newest,
--       2 how many of the operators' events at most
-- Returns {l, clicks' events oldest first, operators' events newest first
-- as time, sequence and value in turn}, or {n} for a link that is not known,
-- or {?} for a record that this version does not understand. An operators'
-- event names the one before it, so that none is searched for.
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
return {'l', list, chain}
