-- Spends one click of a link that needs confirmation: once for each nonce. The last click
-- marks the link as used up, and its permission stays for grants. A refusal writes no event,
-- because the caller decides which refusals get one.
-- KEYS  1 permission
--       2 history
--       3 stream of downloads
--       4 spent nonces
--       5 live counter, and if this may be the last click:
--       6 secondary index of the link's index bucket
--       7 prefix index of the link's index bucket
-- ARGV  1 id (16 bytes)
--       2 method (p)
--       3 client address, as the event stores it
--       4 largest number of events in the stream
--       5 client address, as in judge.lua
--       6 nonce, '' for none
--       7 resume window in ms
--       8 retention in ms, and with KEYS 6 and 7:
--       9 index bucket
--       10 width of an index bucket in ms
-- Returns the identifier of the call, and one of
--       letter of a refusal
--       d, now, end of the grant: the click is spent
--       w, now, end of the grant: the nonce has spent a click within the window
--       G, time of issue: nothing written; this is the last click, and KEYS 6 and 7 are
--         missing or belong to another index bucket
local CALL = ARGV[#ARGV]
local id, address, most, nonce, window = ARGV[1], ARGV[3], ARGV[4], ARGV[6], tonumber(ARGV[7])

local link, head = call('GET', KEYS[1]), call('LINDEX', KEYS[2], '0')
local refused, clicks, limited, used = judge(link, head, KEYS[2], ARGV[5], 1)
-- Without the list of spent nonces, one page could spend two clicks.
if not refused and (not limited or call('EXISTS', KEYS[4]) == 0) then
  refused = '?'
end
local left = not refused and int(link, 3, 6) - now or 0
local spent = not refused and nonce ~= '' and call('ZSCORE', KEYS[4], nonce)
if spent and now - spent < window then
  if not append(KEYS[2], KEYS[3], id .. 'dpw' .. address, clicks, most) then
    return {CALL, '?'}
  end
  return {CALL, 'w', now, math.min(spent + window, now + left)}
end
local max = not refused and int(link, 20, 5) or 0
if used or max > 0 and int(clicks, 1, 5) >= max then
  refused = 'u'
end
if refused then
  return {CALL, refused}
end

local count = int(clicks, 1, 5) + 1
if count == max then
  local created = int(head, 3, 6)
  if not KEYS[6] or math.floor(created / ARGV[10]) ~= tonumber(ARGV[9]) then
    return {CALL, 'G', created}
  end
end
clicks = pack(count, 5)
if not append(KEYS[2], KEYS[3], id .. 'dpd' .. address, clicks, most) then
  return {CALL, '?'}
end
call('SETRANGE', KEYS[1], '14', clicks)
if nonce ~= '' then
  call('ZADD', KEYS[4], now, nonce)
end
call('ZREMRANGEBYSCORE', KEYS[4], 0, now - window)
if count == max then
  use_up(KEYS[1], KEYS[2], KEYS[5], KEYS[6], KEYS[7], head, count, math.min(window, left), ARGV[8])
end
return {CALL, 'd', now, now + math.min(window, left)}
