-- Keeps what makes an issue safe to repeat, unless something is kept there.
-- KEYS  1 reservation
-- ARGV  1 what is to be kept, 2 for how many milliseconds
-- Returns what is kept. It is written even where it was kept before, so that a
-- repeat waits for replicas like the first.
local kept = redis.call('GET', KEYS[1])
if kept then
  redis.call('SET', KEYS[1], kept, 'KEEPTTL')
  return kept
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
