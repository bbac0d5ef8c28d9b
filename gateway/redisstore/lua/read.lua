-- Reads links of one partition.
-- KEYS  1, 2 permission and history of a link, 3, 4 of another …
-- ARGV  none
-- Returns {now, history, permission, newest event, history …}, the three ''
-- for a link that is not known.
local found = {now}
for i = 1, #KEYS, 2 do
  local head, live, newest = view(KEYS[i], KEYS[i + 1])
  found[#found + 1] = head
  found[#found + 1] = live
  found[#found + 1] = newest
end
return found
