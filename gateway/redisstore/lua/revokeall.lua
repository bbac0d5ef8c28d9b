-- Ends links of one partition that were issued in one generation.
-- KEYS  1-4 as end.lua has them, 5, 6 permission and history of a link, 7, 8 of
--       another …
-- ARGV  1-5 as end.lua has them, 6- ids (16 bytes)
-- Returns a string of what became of each, a letter as end.lua has it.
local became = {}
for i = 6, #ARGV do
  became[#became + 1] = revoke(KEYS[2 * i - 7], KEYS[2 * i - 6], ARGV[i])
end
return table.concat(became)
