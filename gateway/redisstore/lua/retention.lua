-- Reads or raises the retention horizon: the longest time from a link's issue until Redis
-- removes its history. The script never lowers the horizon, because a shorter policy must
-- not hide links of an earlier, longer one. It writes even if the horizon is high enough
-- already, because the write shows that this server accepts writes.
-- KEYS  1 retention horizon
-- ARGV  1 new horizon in ms; 0 only reads
-- Returns {now, retention horizon in ms}.
local horizon = tonumber(redis.call('GET', KEYS[1]) or 0)
local wanted = tonumber(ARGV[1])
if wanted > 0 then
  horizon = math.max(horizon, wanted)
  redis.call('SET', KEYS[1], string.format('%.0f', horizon))
end
return {now, horizon}
