-- Reads a link, and writes its history as it is, so that who reads it waits for
-- replicas as who issued it did.
-- KEYS  1 permission, 2 history
-- ARGV  none
-- Returns {now, history, permission, newest event}, the three '' for a link that is
-- not known.
local head, live, newest = view(KEYS[1], KEYS[2])
if head ~= '' then
  redis.call('LSET', KEYS[2], 0, head)
end
return {now, head, live, newest}
