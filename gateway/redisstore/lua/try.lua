-- Reserves a try of a link's passphrase, before anything is hashed.
-- KEYS  1 tries: behind a first element that keeps the list, each try within the
--       window, oldest first: time (6 bytes) and whose it is
-- ARGV  1 whose it is, 2 window in ms, 3 the most tries of all, 4 of one
-- Returns {1, the try}, or {0, ms until another is possible}, or {2} where there is
-- no list: then nobody knows how often it was tried.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {2}
end
local tries = redis.call('LRANGE', KEYS[1], 1, -1)
local all, mine, first, first_mine = 0, 0, nil, nil
for _, try in ipairs(tries) do
  local at = int(try, 1, 6)
  if now - at >= tonumber(ARGV[2]) then
    redis.call('LREM', KEYS[1], 1, try)
  else
    all, first = all + 1, first or at
    if string.sub(try, 7) == ARGV[1] then
      mine, first_mine = mine + 1, first_mine or at
    end
  end
end
if mine >= tonumber(ARGV[4]) then
  return {0, first_mine + ARGV[2] - now}
end
if all >= tonumber(ARGV[3]) then
  return {0, first + ARGV[2] - now}
end
local try = pack(now, 6) .. ARGV[1]
redis.call('RPUSH', KEYS[1], try)
return {1, try}
