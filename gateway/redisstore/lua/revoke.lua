-- Revokes links of one partition and one index bucket.
-- KEYS  1 stream of operators' events
--       2 live counter
--       3 secondary index of the index bucket
--       4 prefix index of the index bucket, and for each link:
--       5 permission
--       6 history
-- ARGV  1 retention in ms
--       2 age in ms at which operators' events are removed
--       3 operator and reason, for the history
--       4 fields of the event
--       5 index bucket
--       6 width of an index bucket in ms for a single link, '' for a bulk revocation
--       7 and more: ids (16 bytes)
-- Returns for a bulk revocation a string with one letter per link; for a single link one of
--       {letter, now, the values of the function view}
--       {n} or {?}: the letter only
--       {g, index bucket}: nothing written, the link is in another index bucket
-- The letters:
--       r: this call ended the link
--       u: the link was used up, and this call ended its grants
--       l: the link had ended before
--       n: the link is unknown
--       ?: this version cannot read a record

-- Ends a link and returns its letter. It also writes to a link that had ended: a repeat
-- can then wait for replicas, and a master that has lost its replicas refuses the repeat.
local function revoke(permission, history, id)
  local operations, counter, index, prefix_index = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
  local retention, age, why, fields = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
  local head, link = record('LINDEX', history, 0), record('GET', permission)
  if link and not known(link, PERMISSION) or head and not known(head, HISTORY) then
    return '?'
  end
  if not head or int(head, 21, 6) <= now then
    return 'n'
  end
  local ended = string.byte(head, 2)
  if ended ~= 0 or int(head, 9, 6) <= now then
    -- A permission that was restored from a backup is deleted again.
    redis.call('DEL', permission)
    local granted = ended == 2 and link and int(link, 3, 6) > now
    if granted then
      local newest = operation(operations, id, 'v', string.sub(head, 32, 41), fields, age)
      redis.call('LSET', history, 0, string.sub(head, 1, 31) .. newest .. string.sub(head, 42))
    end
    redis.call('PEXPIREAT', history, int(head, 21, 6))
    return granted and 'u' or 'l'
  end

  local clicks = link and sub(link, 15, 19) or clicks_at_end(history, head)
  -- DEL comes first: it needs no memory, and writes after a first write always succeed.
  redis.call('DEL', permission)
  local newest = operation(operations, id, 'v', string.sub(head, 32, 41), fields, age)
  local forgotten = now + retention
  redis.call('LSET', history, 0, string.sub(head, 1, 1) .. string.char(1) .. string.sub(head, 3, 14) ..
    pack(now, 6) .. pack(forgotten, 6) .. clicks .. newest .. string.sub(head, 42) .. why)
  redis.call('PEXPIREAT', history, forgotten)
  keep(index, forgotten)
  keep(prefix_index, forgotten)
  count_live(counter, int(head, 9, 6), -1)
  return 'r'
end

if ARGV[6] == '' then
  local letters = {}
  for i = 7, #ARGV do
    letters[#letters + 1] = revoke(KEYS[2 * i - 9], KEYS[2 * i - 8], ARGV[i])
  end
  return table.concat(letters)
end
local head = record('LINDEX', KEYS[6], 0)
if head and known(head, HISTORY) then
  local index_bucket = math.floor(int(head, 3, 6) / ARGV[6])
  if index_bucket ~= tonumber(ARGV[5]) then
    return {'g', index_bucket}
  end
end
local letter = revoke(KEYS[5], KEYS[6], ARGV[7])
if letter == 'n' or letter == '?' then
  return {letter}
end
return {letter, now, view(KEYS[5], KEYS[6])}
