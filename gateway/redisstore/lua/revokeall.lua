-- Ends links of one partition.
-- KEYS  1 stream of operators' events, 2 account of live links,
--       3, 4 permission and history of a link, 5, 6 of another …
-- ARGV  1 retention in ms, 2 age in ms at which operators' events go, 3 who and
--       why, for the history, 4 fields of the event, 5- ids (16 bytes)
-- Returns a string of what became of each, a letter as end.lua has it.
local became = {}
for i = 5, #ARGV do
  local k = 2 * i - 7
  became[#became + 1] = revoke(KEYS[k], KEYS[k + 1], KEYS[1], KEYS[2], ARGV[i],
    ARGV[1], ARGV[2], ARGV[3], ARGV[4])
end
return table.concat(became)
