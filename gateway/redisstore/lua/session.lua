-- Part of the scripts for sessions of the console.
--
-- Session: 1 version, 2-7 start, 8-13 last activity, 14- value, encrypted by the gateway.
-- Both times are Unix milliseconds by this server's clock.
local SESSION = 13

-- Lists a session until it ends, so that sessions can be counted, and removes the ended
-- ones. The list expires with its last session.
local function list_session(list, hash, ends)
  call('ZREMRANGEBYSCORE', list, '-inf', now)
  call('ZADD', list, ends, hash)
  if call('PEXPIRETIME', list) < ends then
    call('PEXPIREAT', list, ends)
  end
end
