-- Finds links of a partition whose ids begin with the same bytes, in one index bucket. It
-- reads all entries of the attribute, because no index is ordered by id.
-- KEYS  1 secondary index
-- ARGV  1 attribute that all links have
--       2 first bytes of the ids, at least one
--       3 largest number of ids
-- Returns one string of ids (16 bytes each).
local most = tonumber(ARGV[3])
local last, chunk = chunks(KEYS[1], ARGV[1])
if not last then
  return ''
end
local found = {}
for n = last, 0, -1 do
  local entries, from = chunk(n), 1
  while #found < most do
    local at = string.find(entries, ARGV[2], from, true)
    if not at then
      break
    end
    -- The bytes may also stand at another place of an entry.
    if (at - 8) % ENTRY == 0 then
      found[#found + 1] = string.sub(entries, at, at + 15)
    end
    from = at + 1
  end
end
return table.concat(found)
