-- Erases client addresses from a stream. Redis cannot change an entry of a stream, so the
-- script writes the whole stream again, with the same IDs: cursors and the order of events
-- stay valid, and no reader finds a part of the stream. A stream without a match stays
-- untouched. The number of entries that Redis counts as added starts again.
-- KEYS  1 stream
-- ARGV  1 o for a stream of operators' events, c for one of clicks
--       2 id of a link (16 bytes), '' for all links
--       3 e to erase, d to count without a change (dry run)
--       4 and more: addresses as events store them; none: every address
-- Returns {erased addresses, or those to erase, entries of another version, which stay unchanged}.
local wanted = #ARGV > 3 and {} or nil
for i = 4, #ARGV do
  wanted[ARGV[i]] = true
end

-- Returns the first and last position of a text whose length (a varint) is at position at.
local function text(value, at)
  local n, scale, b = 0, 1, nil
  repeat
    b = byte(value, at) or 0
    n, scale, at = n + b % 128 * scale, scale * 128, at + 1
  until b < 128
  return at, at + n - 1
end

-- Returns the event without its address, and nil if the address is not to be erased.
local function erased(value)
  if ARGV[2] ~= '' and sub(value, 1, 16) ~= ARGV[2] then
    return nil
  end
  local before, address, after
  if ARGV[1] == 'o' then
    local _, actor = text(value, 28)
    local first, last = text(value, actor + 1)
    before, address, after = sub(value, 1, actor) .. '\0', sub(value, first, last), sub(value, last + 1)
  else
    before, address, after = sub(value, 1, 19), sub(value, 20), ''
  end
  if address == '' or wanted and not wanted[address] then
    return nil
  end
  return before .. after
end

local entries, changed, unknown = call('XRANGE', KEYS[1], '-', '+'), 0, 0
for _, entry in ipairs(entries) do
  local fields = entry[2]
  if fields[1] ~= tostring(VERSION) then
    unknown = unknown + 1
  else
    local value = erased(fields[2])
    if value then
      fields[2], changed = value, changed + 1
    end
  end
end
if changed > 0 and ARGV[3] == 'e' then
  -- DEL comes first: it needs no memory, and later writes then succeed.
  call('DEL', KEYS[1])
  for _, entry in ipairs(entries) do
    call('XADD', KEYS[1], entry[1], unpack(entry[2]))
  end
end
return {changed, unknown}
