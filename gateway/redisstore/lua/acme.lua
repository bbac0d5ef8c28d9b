-- Stores, reads or deletes one value of the certificates, or takes the lease of an order.
-- KEYS  1 value or lease
-- ARGV  1 operation: get, set, take, drop
--       2 value to store; of take and drop, the holder of the lease
--       3 time to keep it in ms
-- Returns the value that is stored after the operation; '' if there is none.
local stored = redis.call('GET', KEYS[1]) or ''
if ARGV[1] == 'get' then
  return stored
end
if ARGV[1] == 'drop' then
  if stored == ARGV[2] then
    redis.call('DEL', KEYS[1])
    return ''
  end
  return stored
end
if ARGV[1] == 'take' and stored ~= '' and stored ~= ARGV[2] then
  return stored
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return ARGV[2]
