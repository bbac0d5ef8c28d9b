-- Reads a reservation, which makes an issue safe to repeat, or makes one unless it exists.
-- KEYS  1 reservation
-- ARGV  none to read, or 1 what to keep, 2 for how many milliseconds
-- Returns {what is kept, remaining ms}, or {'', 0} if nothing is kept.
local kept = redis.call('GET', KEYS[1])
if ARGV[1] and kept then
  -- It is written although it exists, so that a repeat waits for replicas like the first.
  redis.call('SET', KEYS[1], kept, 'KEEPTTL')
elseif ARGV[1] then
  kept = ARGV[1]
  redis.call('SET', KEYS[1], kept, 'PX', ARGV[2])
end
if not kept then
  return {'', 0}
end
return {kept, redis.call('PEXPIRETIME', KEYS[1]) - now}
