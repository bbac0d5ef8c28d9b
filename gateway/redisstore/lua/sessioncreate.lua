-- Stores a session of the console.
-- KEYS  1 session
--       2 sessions of the partition, a sorted set of hashes by their end
-- ARGV  1 hash of the session's ID (32 bytes)
--       2 value
--       3 start in ms; 0: now
--       4 longest time without activity in ms
--       5 longest life since the start in ms
-- Returns the start in ms; 0 if the session would have ended already.
local started = tonumber(ARGV[3])
if started == 0 then
  started = now
end
local ends = math.min(now + ARGV[4], started + ARGV[5])
if ends <= now then
  return 0
end
call('SET', KEYS[1], char(VERSION) .. pack(started, 6) .. pack(now, 6) .. ARGV[2], 'PX', ends - now)
list_session(KEYS[2], ARGV[1], ends)
return started
