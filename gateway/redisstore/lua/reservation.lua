-- Reads a reservation, which makes an issue safe to repeat, or makes one if none exists.
-- KEYS  1 reservation
-- ARGV  none to read, or
--       1 value to keep
--       2 time to keep it in ms
-- Returns {value, remaining ms}; {'', 0} if there is no reservation.
local kept = redis.call('GET', KEYS[1])
if ARGV[1] and kept then
  -- The script writes an existing value again, so that a repeat waits for replicas like
  -- the first request.
  redis.call('SET', KEYS[1], kept, 'KEEPTTL')
elseif ARGV[1] then
  kept = ARGV[1]
  redis.call('SET', KEYS[1], kept, 'PX', ARGV[2])
end
if not kept then
  return {'', 0}
end
return {kept, redis.call('PEXPIRETIME', KEYS[1]) - now}
