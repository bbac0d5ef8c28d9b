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
if link and string.byte(link, 1) ~= VERSION then
  return {'?'}
end

-- The end inside the record is asked too: a key that was restored or lost its
-- TTL opens nothing.
local left = link and int(link, 3, 6) - now or 0
if left <= 0 then
  local head = redis.call('LINDEX', KEYS[2], 0)
  if not head then
    return {'n'}
  end
  if string.byte(head, 1) ~= VERSION then
    return {'?'}
  end
  if int(head, 21, 6) <= now then
    return {'n'}
  end
  local ended = string.byte(head, 2)
  local outcome = ended == 1 and 'r' or ended == 2 and 'u' or 'e'
  return refuse(outcome, clicks_at_end(KEYS[2], head))
end

local flags, clicks = string.byte(link, 2), int(link, 15, 5)
if flags > 1 then
  return {'?'}
end
if flags == 1 then
  return refuse('s', clicks)
end

if method == 'h' then
  -- A HEAD counts nothing, but it writes, so that a master which has lost its
  -- replicas (min-replicas-to-write) refuses it as it refuses every click.
  if redis.call('EXISTS', KEYS[2]) == 0 then
    return {'n'}
  end
  redis.call('SETRANGE', KEYS[1], 0, string.char(VERSION))
  return {'d', left, link}
end

-- What has no history could not be revoked, so it is not admitted either.
if not append(KEYS[2], KEYS[3], id, 'd' .. method .. 'd', clicks + 1, address, most) then
  return {'n'}
end
redis.call('SETRANGE', KEYS[1], 14, pack(clicks + 1, 5))
return {'d', left, link}
