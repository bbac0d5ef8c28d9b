-- Changes a live link. It writes even if nothing changes, so that a repeat can wait for
-- replicas.
-- KEYS  1 permission
--       2 history
--       3 stream of operators' events
--       4 live counter
--       5 secondary index of the index bucket
--       6 prefix index of the index bucket
--       7 spent nonces
--       8 attempts
-- ARGV  1 id (16 bytes)
--       2 retention in ms
--       3 age in ms at which operators' events are removed
--       4 fields of the events
--       5 body of the history as the caller has read it
--       6 new body of the history
--       7 life from now on in ms, '' for unchanged
--       8 longest life since the issue in ms
--       9 largest number of clicks, '' for unchanged
--       10 p (pause), w (resume) or '' (unchanged)
--       11 resume window in ms
--       12 place of the operators' event that must be the newest, '' for any
--       13 version of the new history
--       14 a and the packed prefixes of the allowed addresses, '' for unchanged
--       15 not before in ms, '' for unchanged
--       16 p and the stored passphrase, '' for unchanged; p alone removes the passphrase
--       17 key for a new passphrase, or for a permission without one (16 bytes)
--       18 c if the link needs confirmation then, for a change of 14 to 16
--       19 ms by which the life must be too long to be refused; less is cut
--       20 and more: attributes to add
-- Returns {c, now, the values of the function view}: changed; or, with nothing written,
--       {e}: the link has ended
--       {n}: the link is unknown
--       {r}: another operators' event is the newest
--       {b}: the history has changed since the caller read it
--       {o, ms}: the link would live too long, with the longest life from now on
--       {y}: the link would end before it begins
--       {m, clicks}: more clicks are spent already
--       {?}: this version cannot read a record
local head, link = record('LINDEX', KEYS[2], 0), record('GET', KEYS[1])
if link and not known(link, PERMISSION) or head and not known(head, HISTORY) then
  return {'?'}
end
if not head or int(head, 21, 6) <= now then
  return {'n'}
end
if string.byte(head, 2) ~= 0 or not link or int(link, 3, 6) <= now then
  return {'e'}
end
if ARGV[12] ~= '' and string.sub(head, 32, 41) ~= ARGV[12] then
  return {'r'}
end
if string.sub(head, 42) ~= ARGV[5] then
  return {'b'}
end

local id, retention, age, fields = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local unrestricted = link
if ARGV[14] ~= '' or ARGV[15] ~= '' or ARGV[16] ~= '' then
  link = restrict(link, ARGV[14] ~= '' and string.sub(ARGV[14], 2) or nil, ARGV[15] ~= '' and tonumber(ARGV[15]) or nil,
    ARGV[16] ~= '' and string.sub(ARGV[16], 2) or nil, ARGV[17], ARGV[18] == 'c')
  if not link then
    return {'?'}
  end
end
local flags, before, clicks = string.byte(link, 2), int(link, 3, 6), int(link, 15, 5)
local created, expires, max = int(head, 3, 6), before, 0
if ARGV[7] ~= '' then
  expires = now + ARGV[7]
  -- The client counted the end before its request, so the end may be late by that time.
  local latest = created + ARGV[8]
  if expires > latest then
    if expires - latest >= tonumber(ARGV[19]) or latest - now < 1000 then
      return {'o', latest - now}
    end
    expires = latest
  end
end
if (ARGV[7] ~= '' or ARGV[15] ~= '') and expires <= int(link, 9, 6) then
  return {'y'}
end
if flags >= 2 then
  max = int(link, 20, 5)
end
if ARGV[9] ~= '' then
  max = tonumber(ARGV[9])
  if flags < 2 or max < clicks then
    return {'m', clicks}
  end
end
local paused = ARGV[10] == 'p' or ARGV[10] == '' and flags % 2 == 1

-- The first write needs memory, so either all writes succeed or none.
if link ~= unrestricted then
  redis.call('SET', KEYS[1], link, 'KEEPTTL')
  -- The keys that lua/create.lua makes for such a link.
  if flags >= 2 and redis.call('EXISTS', KEYS[7]) == 0 then
    redis.call('ZADD', KEYS[7], 'inf', '')
  end
  if #ARGV[16] > 1 and redis.call('EXISTS', KEYS[8]) == 0 then
    redis.call('RPUSH', KEYS[8], '')
  end
end
redis.call('SETRANGE', KEYS[1], 1,
  string.char(flags - flags % 2 + (paused and 1 or 0)) .. pack(expires, 6))
if flags >= 2 then
  redis.call('SETRANGE', KEYS[1], 19, pack(max, 5))
end
local newest = string.sub(head, 32, 41)
if ARGV[6] ~= ARGV[5] or expires ~= before or link ~= unrestricted then
  newest = operation(KEYS[3], id, 'c', newest, fields, age)
end
if paused ~= (flags % 2 == 1) then
  newest = operation(KEYS[3], id, paused and 's' or 'w', newest, fields, age)
end
local forgotten = expires + retention
head = string.char(tonumber(ARGV[13])) .. string.sub(head, 2, 8) .. pack(expires, 6) ..
  pack(0, 6) .. pack(forgotten, 6) .. pack(0, 5) .. newest .. ARGV[6]
redis.call('LSET', KEYS[2], 0, head)
redis.call('PEXPIREAT', KEYS[2], forgotten)
redis.call('PEXPIREAT', KEYS[1], expires)
for i = 7, #KEYS do
  redis.call('PEXPIREAT', KEYS[i], expires)
end
keep(KEYS[5], forgotten)
keep(KEYS[6], forgotten)
if expires ~= before then
  count_live(KEYS[4], before, -1)
  count_live(KEYS[4], expires, 1)
end
for i = 20, #ARGV do
  insert(KEYS[5], ARGV[i], created * 1000, id)
end
if max > 0 and clicks == max then
  local window = math.min(tonumber(ARGV[11]), expires - now)
  use_up(KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[6], head, clicks, window, retention)
end
return {'c', now, view(KEYS[1], KEYS[2])}
