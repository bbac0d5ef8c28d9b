-- Counts the live links of a partition, and removes expired links from the counter.
-- KEYS  1 live counter, with the layout of live.lua
-- ARGV  none
-- Returns the number of live links; an expired link is counted for up to a minute.
local total = tonumber(redis.call('HGET', KEYS[1], 'n') or 0)
if total == 0 then
  return 0
end
local minute = math.floor(now / 60000)
local first, this = tonumber(redis.call('HGET', KEYS[1], 'h')), math.floor(minute / 60)
local gone = 0
for hour = first, this do
  local before = redis.call('HGET', KEYS[1], hour)
  if before then
    local after = ''
    for i = 1, #before, 5 do
      if hour * 60 + string.byte(before, i) <= minute then
        gone = gone + int(before, i + 1, 4)
      else
        after = after .. string.sub(before, i, i + 4)
      end
    end
    if #after < #before then
      -- HDEL comes first: it needs no memory, and later writes then succeed.
      redis.call('HDEL', KEYS[1], hour)
      if after ~= '' then
        redis.call('HSET', KEYS[1], hour, after)
      end
    end
  end
end
if gone > 0 then
  redis.call('HINCRBY', KEYS[1], 'n', -gone)
end
if this > first then
  -- This write only saves the next count some reads, so it may fail if Redis is out of
  -- memory.
  redis.pcall('HSET', KEYS[1], 'h', this)
end
return total - gone
