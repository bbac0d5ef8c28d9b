-- Ends a session of the console.
-- KEYS  1 session
--       2 sessions of the partition
--       3 confirmation of the partition
-- ARGV  1 hash of the session's ID (32 bytes)
--       2 TTL of the confirmation in ms
-- Returns the number of ended sessions.
local ended = call('DEL', KEYS[1])
call('ZREM', KEYS[2], ARGV[1])
if ended == 0 and call('PEXPIREAT', KEYS[3], now + ARGV[2]) == 0 then
  -- An earlier call may have ended the session, and no replica may have that write. WAIT
  -- needs a write of this call to cover it.
  call('SET', KEYS[3], '', 'PX', ARGV[2])
end
return ended
