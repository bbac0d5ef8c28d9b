-- Erases client addresses from the clicks in the lists of links of one partition.
-- KEYS  1 and more: histories
-- ARGV  1 e to erase, d to count without a change (dry run)
--       2 and more: addresses as events store them; none: every address
-- Returns {erased addresses, or those to erase, events and lists that this version cannot read}.
local wanted = #ARGV > 1 and {} or nil
for i = 2, #ARGV do
  wanted[ARGV[i]] = true
end
local changed, unknown = 0, 0
for _, history in ipairs(KEYS) do
  local list = attempt('LRANGE', history, 1, -1)
  if list.err then
    if not string.find(list.err, '^WRONGTYPE') then
      error(list)
    end
    list, unknown = {}, unknown + 1
  end
  for i, event in ipairs(list) do
    local address = sub(event, 16)
    if byte(event, 1) ~= VERSION then
      unknown = unknown + 1
    elseif address ~= '' and (not wanted or wanted[address]) then
      if ARGV[1] == 'e' then
        call('LSET', history, i, sub(event, 1, 15))
      end
      changed = changed + 1
    end
  end
end
return {changed, unknown}
