-- Raises the horizon: how long after its issue a link may still be known.
-- KEYS  1 horizon
-- ARGV  1 ms to raise it to; 0 only reads it
-- Returns {now, horizon in ms}. It is never lowered, so that a shorter policy
-- hides no link that an earlier one allowed.
local before = tonumber(redis.call('GET', KEYS[1]) or 0)
local wanted = tonumber(ARGV[1])
if wanted > before then
  redis.call('SET', KEYS[1], string.format('%.0f', wanted))
  before = wanted
end
return {now, before}
