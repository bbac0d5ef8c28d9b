-- Judges one click. Where the link is a plain one, a GET or POST is counted; one
-- that needs confirmation is shown, or left to whoever asked, and never counted.
-- KEYS  1 permission, 2 history, 3 stream of clicks' events
-- ARGV  1 id (16 bytes), 2 method (g, h, p), 3 client address as it is kept,
--       4 the most events that the stream keeps, 5 client address as judge.lua
--       has it, 6 what a link that needs confirmation is answered with:
--       g (page), c (confirmation required), or k, where a grant or a form is
--       still to be looked at
-- Returns {outcome code} of a refusal; {d, milliseconds left, permission} of a
-- click that is admitted; {g or c or k, now, milliseconds left, permission,
-- history, 1 where it is used up} of a link that needs confirmation.
local id, method, address, most, ask = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[6]

local link = redis.call('GET', KEYS[1])
local head = redis.call('LINDEX', KEYS[2], 0)
local refused, clicks, left, limited, used = judge(link, head, KEYS[2], ARGV[5])
if used and (ask ~= 'k' or not limited) then
  refused = 'u'
end
if refused then
  if method ~= 'h' and refused ~= 'n' and refused ~= '?' then
    append(KEYS[2], KEYS[3], id, 'x' .. method .. refused, clicks, address, most)
  end
  return {refused}
end

if method == 'h' or limited and ask == 'k' then
  -- This counts nothing, but it writes, so that a master which has lost its
  -- replicas (min-replicas-to-write) refuses it as it refuses every click.
  -- It puts the history's head where it is, which needs memory as a click does,
  -- and makes nothing of a key that has just expired, as one can within a script
  -- in miniredis.
  redis.call('LSET', KEYS[2], 0, head)
elseif limited then
  append(KEYS[2], KEYS[3], id, (ask == 'g' and 'g' or 'x') .. method .. ask, clicks, address, most)
end
if limited then
  return {ask, now, left, link, head, used and 1 or 0}
end
if method ~= 'h' then
  append(KEYS[2], KEYS[3], id, 'd' .. method .. 'd', clicks + 1, address, most)
  redis.call('SETRANGE', KEYS[1], 14, pack(clicks + 1, 5))
end
return {'d', left, link}
