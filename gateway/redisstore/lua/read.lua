-- Reads links of one partition.
-- KEYS  1 permission
--       2 history, and so on: two keys for each link
-- ARGV  1 w to also write each history unchanged, so that the caller can wait for the
--         replicas; otherwise ''
-- Returns {now}, and for each link the four values of the function view; all are '' for an
--       unknown link.
local found = {now}
for i = 1, #KEYS, 2 do
  local head, permission, newest, used = view(KEYS[i], KEYS[i + 1])
  if ARGV[1] == 'w' and head ~= '' then
    redis.call('LSET', KEYS[i + 1], 0, head)
  end
  found[#found + 1] = head
  found[#found + 1] = permission
  found[#found + 1] = newest
  found[#found + 1] = used
end
return found
