-- Reads or raises the retention horizon: the longest time from a link's issue until Redis
-- forgets it.
-- KEYS  1 retention horizon
-- ARGV  1 ms to raise it to; 0 only reads it
-- Returns {now, retention horizon in ms}. It is never lowered, so that a shorter policy
-- hides no link of an earlier, longer one. It is written even if it is high enough already:
-- the write shows that this server can write.
local horizon = tonumber(redis.call('GET', KEYS[1]) or 0)
local wanted = tonumber(ARGV[1])
if wanted > 0 then
  horizon = math.max(horizon, wanted)
  redis.call('SET', KEYS[1], string.format('%.0f', horizon))
end
return {now, horizon}
