-- Reads links of one partition.
-- KEYS  1, 2 permission and history of a link, 3, 4 of another link …
-- ARGV  1 w to also write each history unchanged, so that the caller can wait for the
--       replicas that the issue waited for, otherwise ''
-- Returns {now, history, permission, newest event, history …}; the three are '' for an
-- unknown link.
local found = {now}
for i = 1, #KEYS, 2 do
  local head, permission, newest = view(KEYS[i], KEYS[i + 1])
  if ARGV[1] == 'w' and head ~= '' then
    redis.call('LSET', KEYS[i + 1], 0, head)
  end
  found[#found + 1] = head
  found[#found + 1] = permission
  found[#found + 1] = newest
end
return found
