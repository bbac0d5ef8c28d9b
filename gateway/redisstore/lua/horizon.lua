-- Raises the horizon: how long after its issue a link may still be known.
-- KEYS  1 horizon
-- ARGV  1 ms to raise it to; 0 only reads it
-- Returns {now, horizon in ms}. It is never lowered, so that a shorter policy
-- hides no link that an earlier one allowed. It is written where it stands
-- high enough too: whoever raises it also asks whether this server can write.
local horizon = tonumber(redis.call('GET', KEYS[1]) or 0)
local wanted = tonumber(ARGV[1])
if wanted > 0 then
  horizon = math.max(horizon, wanted)
  redis.call('SET', KEYS[1], string.format('%.0f', horizon))
end
return {now, horizon}
