-- Gives a try of a link's passphrase back: it was the right one.
-- KEYS  1 tries, laid out in try.lua
-- ARGV  1 the try
-- Returns how many were given back.
return redis.call('LREM', KEYS[1], -1, ARGV[1])
