-- Reserves an attempt at a link's passphrase before the passphrase is hashed, or releases an
-- attempt, so that it does not count.
-- KEYS  1 attempts. The first element keeps the list alive. The others are the attempts
--         within the window, oldest first: time (6 bytes) and client key
-- ARGV  1 reserve
--       2 client key
--       3 window in ms
--       4 limit per link
--       5 limit per client
--       6 pause in ms between attempts above the limit of the link
--       or
--       1 release
--       2 attempt
-- Returns one of
--       {1, attempt, left}: reserved, with the number of further attempts that the client has
--         now. Every further attempt needs room in both limits: only a client that has not
--         failed yet may exceed the limit of the link.
--       {0, ms}: refused, with the time until another attempt is possible
--       {2}: the list is missing, so the number of attempts is unknown
--       the number of released attempts, after release
if ARGV[1] == 'release' then
  return redis.call('LREM', KEYS[1], -1, ARGV[2])
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {2}
end
local window, limit, limit_client = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local times, mine, first_mine = {}, 0, nil
for _, attempt in ipairs(redis.call('LRANGE', KEYS[1], 1, -1)) do
  local at = int(attempt, 1, 6)
  if now - at >= window then
    redis.call('LREM', KEYS[1], 1, attempt)
  else
    times[#times + 1] = at
    if string.sub(attempt, 7) == ARGV[2] then
      mine, first_mine = mine + 1, first_mine or at
    end
  end
end
if mine >= limit_client then
  return {0, first_mine + window - now}
end
if #times >= limit then
  -- The link has room again when fewer attempts than the limit are within the window. A
  -- client that has not failed waits only until the latest attempt is a pause ago.
  local wait = times[#times - limit + 1] + window - now
  if mine == 0 then
    wait = math.min(wait, times[#times] + ARGV[6] - now)
  end
  if wait > 0 then
    return {0, wait}
  end
end
local attempt = pack(now, 6) .. ARGV[2]
redis.call('RPUSH', KEYS[1], attempt)
return {1, attempt, math.max(math.min(limit_client - mine, limit - #times) - 1, 0)}
