-- Reads links with one attribute from one index bucket of a partition, newest first.
-- KEYS  1 secondary index
-- ARGV  1 attribute
--       2 newest position to return, in microseconds
--       3 largest number of entries
-- Returns one string of entries, newest first: position (7 bytes) and id (16 bytes) each.
local newest, want = tonumber(ARGV[2]), tonumber(ARGV[3])
local last, chunk = chunks(KEYS[1], ARGV[1])
if not last then
  return ''
end
local found = {}
for n = seek(last, chunk, newest), 0, -1 do
  local entries = chunk(n)
  for i = #entries - ENTRY + 1, 1, -ENTRY do
    if #found == want then
      return table.concat(found)
    end
    if int(entries, i, 7) <= newest then
      found[#found + 1] = string.sub(entries, i, i + ENTRY - 1)
    end
  end
end
return table.concat(found)
