-- Reads a reservation.
-- KEYS  1 reservation
-- ARGV  none
-- Returns {what is kept, how many ms it is kept yet}, or {'', 0}.
local kept = call('GET', KEYS[1])
if not kept then
  return {'', 0}
end
return {kept, call('PEXPIRETIME', KEYS[1]) - now}
