-- Stores a new link: permission, history, issued event, indexes, live counter.
-- KEYS  1 permission
--       2 history
--       3 stream of downloads
--       4 stream of operators' events
--       5 live counter
--       6 secondary index of the index bucket
--       7 prefix index of the index bucket
--       8 stream of refusals
--       9 spent nonces, if the link needs confirmation
--       10 attempts, if the link has a passphrase
-- ARGV  1 id (16 bytes)
--       2 index bucket
--       3 width of an index bucket in ms
--       4 life in ms
--       5 retention in ms
--       6 age in ms at which operators' events are removed
--       7 version of the records
--       8 flags
--       9 not before, in ms
--       10 body of the permission
--       11 body of the history
--       12 fields of the event
--       13 member of the prefix index without id: bucket, NUL, key, NUL
--       14 and more: attributes
-- Returns {c, created, expires, place of the issued event}: stored; or, with nothing written,
--       {g, index bucket}: the clock is in another index bucket
--       {y}: the link would end before it begins
--       {x, now, the values of the function view}: the id exists
local id = ARGV[1]
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then
  return {'x', now, view(KEYS[1], KEYS[2])}
end
local index_bucket = math.floor(now / ARGV[3])
if index_bucket ~= tonumber(ARGV[2]) then
  return {'g', index_bucket}
end

local expires = now + ARGV[4]
local forgotten = expires + ARGV[5]
if tonumber(ARGV[9]) >= expires then
  return {'y'}
end

-- All keys that a click writes exist from the issue on, so that a slot in migration
-- refuses a click as a whole. Creating an empty stream needs a consumer group.
for _, stream in ipairs({KEYS[3], KEYS[8]}) do
  if redis.call('EXISTS', stream) == 0 then
    redis.call('XGROUP', 'CREATE', stream, 'made', '$', 'MKSTREAM')
    redis.call('XGROUP', 'DESTROY', stream, 'made')
  end
end
local issued = operation(KEYS[4], id, 'i', string.rep('\0', 10), ARGV[12], ARGV[6])

redis.call('RPUSH', KEYS[2], string.char(tonumber(ARGV[7]), 0) .. pack(now, 6) ..
  pack(expires, 6) .. pack(0, 6) .. pack(forgotten, 6) .. pack(0, 5) .. issued .. ARGV[11])
redis.call('PEXPIREAT', KEYS[2], forgotten)
redis.call('SET', KEYS[1], string.char(tonumber(ARGV[7]), tonumber(ARGV[8])) .. pack(expires, 6) ..
  pack(tonumber(ARGV[9]), 6) .. pack(0, 5) .. ARGV[10])
redis.call('PEXPIREAT', KEYS[1], expires)
if KEYS[9] then
  redis.call('ZADD', KEYS[9], 'inf', '') -- keeps the key alive, outside every window
  redis.call('PEXPIREAT', KEYS[9], expires)
end
if KEYS[10] then
  redis.call('RPUSH', KEYS[10], '')
  redis.call('PEXPIREAT', KEYS[10], expires)
end
count_live(KEYS[5], expires, 1)

-- Positions stay in order if the clock steps back.
local at = time[1] * 1000000 + time[2]
local all = redis.call('HGET', KEYS[6], 'oa')
if all then
  local last = int(all, #all - ENTRY + 1, 7)
  if at <= last then
    -- insert.lua searches for a link's entry up to the largest shift.
    local shift = last + 1 - at
    if shift > tonumber(redis.call('HGET', KEYS[6], SHIFT) or 0) then
      redis.call('HSET', KEYS[6], SHIFT, string.format('%.0f', shift))
    end
    at = last + 1
  end
end
local entry = pack(at, 7) .. id
for i = 14, #ARGV do
  local attribute = ARGV[i]
  local open = redis.call('HGET', KEYS[6], 'o' .. attribute) or string.char(0, 0, 0)
  if #open >= 3 + CHUNK * ENTRY then
    redis.call('HSET', KEYS[6], 'c' .. string.sub(open, 1, 3) .. attribute, string.sub(open, 4))
    open = pack(int(open, 1, 3) + 1, 3)
  end
  redis.call('HSET', KEYS[6], 'o' .. attribute, open .. entry)
end
redis.call('ZADD', KEYS[7], 0, ARGV[13] .. id)

keep(KEYS[6], forgotten)
keep(KEYS[7], forgotten)
return {'c', now, expires, issued}
