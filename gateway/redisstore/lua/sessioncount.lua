-- Counts the sessions of a partition.
-- KEYS  1 sessions of the partition
-- ARGV  none
-- Returns the number of sessions that have not ended.
return call('ZCOUNT', KEYS[1], now + 1, '+inf')
