-- Reserves a try of a link's passphrase, before anything is hashed.
-- KEYS  1 tries: behind a first element that keeps the list, each try within the
--       window, oldest first: time (6 bytes) and whose it is
-- ARGV  1 whose it is, 2 window in ms, 3 the limit of the link, 4 the limit of one
--       client, 5 the pause in ms between tries beyond the limit of the link
-- Returns {1, the try}, or {0, ms until another is possible}, or {2} where there is
-- no list: then nobody knows how often it was tried.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {2}
end
local window, limit = tonumber(ARGV[2]), tonumber(ARGV[3])
local times, mine, first_mine = {}, 0, nil
for _, try in ipairs(redis.call('LRANGE', KEYS[1], 1, -1)) do
  local at = int(try, 1, 6)
  if now - at >= window then
    redis.call('LREM', KEYS[1], 1, try)
  else
    times[#times + 1] = at
    if string.sub(try, 7) == ARGV[1] then
      mine, first_mine = mine + 1, first_mine or at
    end
  end
end
if mine >= tonumber(ARGV[4]) then
  return {0, first_mine + window - now}
end
if #times >= limit then
  -- The link has room again when fewer than the limit are left in the window. A client
  -- that has not failed only waits until the latest try is a pause ago.
  local wait = times[#times - limit + 1] + window - now
  if mine == 0 then
    wait = math.min(wait, times[#times] + ARGV[5] - now)
  end
  if wait > 0 then
    return {0, wait}
  end
end
local try = pack(now, 6) .. ARGV[1]
redis.call('RPUSH', KEYS[1], try)
return {1, try}
