-- Judges one click and, where it admits a GET or POST, counts it.
-- KEYS  1 permission, 2 history, 3 stream of clicks' events
-- ARGV  1 id (16 bytes), 2 method (g, h, p), 3 client address, packed,
--       4 the most events that the stream keeps
-- Returns {outcome code}; after d (redirected) also the milliseconds left and
-- the permission. The code ? is a record that this version does not understand.
local id, method, address, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local function refuse(outcome, clicks)
  if method ~= 'h' then
    append(KEYS[2], KEYS[3], id, 'x' .. method .. outcome, clicks, address, most)
  end
  return {outcome}
end

local link = redis.call('GET', KEYS[1])
local head = redis.call('LINDEX', KEYS[2], 0)
if link and string.byte(link, 1) ~= VERSION or head and string.byte(head, 1) ~= VERSION then
  return {'?'}
end
-- What has no history could not be revoked, so it is not admitted either.
if not head then
  return {'n'}
end

-- The end inside the record is asked too, and the history: a key that was
-- restored, or lost its TTL, opens nothing that has ended.
local left = link and int(link, 3, 6) - now or 0
local ended = string.byte(head, 2)
if ended ~= 0 or left <= 0 then
  if int(head, 21, 6) <= now then
    return {'n'}
  end
  return refuse(ended == 1 and 'r' or ended == 2 and 'u' or 'e', clicks_at_end(KEYS[2], head))
end

local flags, clicks = string.byte(link, 2), int(link, 15, 5)
-- A restriction that this version does not enforce: it knows no start.
if flags > 1 or int(link, 9, 6) > 0 then
  return {'?'}
end
if flags == 1 then
  return refuse('s', clicks)
end

if method == 'h' then
  -- A HEAD counts nothing, but it writes, so that a master which has lost its
  -- replicas (min-replicas-to-write) refuses it as it refuses every click.
  -- It puts the history's head where it is, which needs memory as a click does,
  -- and makes nothing of a key that has just expired, as one can within a script
  -- in miniredis.
  redis.call('LSET', KEYS[2], 0, head)
  return {'d', left, link}
end

append(KEYS[2], KEYS[3], id, 'd' .. method .. 'd', clicks + 1, address, most)
redis.call('SETRANGE', KEYS[1], 14, pack(clicks + 1, 5))
return {'d', left, link}
