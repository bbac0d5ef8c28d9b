-- Ends a link.
-- KEYS  1-4 as end.lua has them, 5 permission, 6 history
-- ARGV  1-5 as end.lua has them, 6 width of a generation in ms, 7 id (16 bytes)
-- Returns {what, now, history, permission, newest event}, what as end.lua has it,
-- {what} alone where that is n or ?, or, with nothing written, {g, generation}
-- where the link was issued in another generation than the caller thought.
local head = record('LINDEX', KEYS[6], 0)
if head and known(head, HISTORY) then
  local generation = math.floor(int(head, 3, 6) / ARGV[6])
  if generation ~= tonumber(ARGV[5]) then
    return {'g', generation}
  end
end
local what = revoke(KEYS[5], KEYS[6], ARGV[7])
if what == 'n' or what == '?' then
  return {what}
end
return {what, now, view(KEYS[5], KEYS[6])}
