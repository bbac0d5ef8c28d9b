-- Stores a new link: permission, history, issued event, indexes, account.
-- KEYS  1 permission, 2 history, 3 stream of clicks' events,
--       4 stream of operators' events, 5 account of live links,
--       6 terms and 7 names of the generation
-- ARGV  1 id (16 bytes), 2 generation, 3 its width in ms, 4 life in ms,
--       5 retention in ms, 6 age in ms at which operators' events go,
--       7 body of the permission, 8 body of the history, 9 fields of the event,
--       10 the link's name without id (bucket, NUL, key, NUL), 11- its terms
-- Returns {c, created, expires}, or {g, generation} where the clock is in
-- another generation than the caller thought, with nothing written, or
-- {x, now, history, permission, newest event} where the id has been issued.
local id = ARGV[1]
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then
  return {'x', now, view(KEYS[1], KEYS[2])}
end
local generation = math.floor(now / ARGV[3])
if generation ~= tonumber(ARGV[2]) then
  return {'g', generation}
end

local expires = now + ARGV[4]
local forgotten = expires + ARGV[5]

-- The keys that a click writes exist from the issue on, so that a slot in
-- migration refuses a click whole: an empty stream is made by way of a group.
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[3], 'made', '$', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', KEYS[3], 'made')
end
local event = redis.call('XADD', KEYS[4], '*', VERSION,
  id .. 'i' .. pack(0, 10) .. ARGV[9])
redis.call('XTRIM', KEYS[4], 'MINID', '~', string.format('%.0f', math.max(0, now - ARGV[6])))
local ms, seq = string.match(event, '(%d+)-(%d+)')

redis.call('RPUSH', KEYS[2], string.char(VERSION, 0) .. pack(now, 6) ..
  pack(expires, 6) .. pack(0, 6) .. pack(forgotten, 6) .. pack(0, 5) ..
  pack(tonumber(ms), 6) .. pack(tonumber(seq), 4) .. ARGV[8])
redis.call('PEXPIREAT', KEYS[2], forgotten)
redis.call('SET', KEYS[1], string.char(VERSION, 0) .. pack(expires, 6) ..
  pack(0, 6) .. pack(0, 5) .. ARGV[7])
redis.call('PEXPIREAT', KEYS[1], expires)
live(KEYS[5], expires, 1)

-- Terms: field o<term> holds the number of closed chunks and the open chunk,
-- c<number><term> a closed one. Positions are microseconds, and in order even
-- where the clock steps back.
local CHUNK, ENTRY = 32, 23
local at = time[1] * 1000000 + time[2]
local all = redis.call('HGET', KEYS[6], 'oa')
if all then
  at = math.max(at, int(all, #all - ENTRY + 1, 7) + 1)
end
local entry = pack(at, 7) .. id
for i = 11, #ARGV do
  local term = ARGV[i]
  local open = redis.call('HGET', KEYS[6], 'o' .. term) or string.char(0, 0, 0)
  if #open >= 3 + CHUNK * ENTRY then
    redis.call('HSET', KEYS[6], 'c' .. string.sub(open, 1, 3) .. term, string.sub(open, 4))
    open = pack(int(open, 1, 3) + 1, 3)
  end
  redis.call('HSET', KEYS[6], 'o' .. term, open .. entry)
end
redis.call('ZADD', KEYS[7], 0, ARGV[10] .. id)

-- A generation goes by itself when the last history in it has gone.
for i = 6, 7 do
  if redis.call('PEXPIRETIME', KEYS[i]) < forgotten then
    redis.call('PEXPIREAT', KEYS[i], forgotten)
  end
end
return {'c', now, expires}
