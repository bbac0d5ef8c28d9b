-- Stores the secrets of a sign-in at the identity provider, or takes them. They can be
-- taken once.
-- KEYS  1 sign-in
-- ARGV  none to take, or
--       1 value to store
--       2 time to keep it in ms
-- Returns the value; '' if there is none to take.
if ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
local value = redis.call('GET', KEYS[1])
if not value then
  return ''
end
redis.call('DEL', KEYS[1])
return value
