-- Part of the scripts that judge a click.

-- Whether an address (a letter, 4 or 6, and its bytes) has one of the prefixes.
local function allowed(prefixes, client)
  local i = 1
  while i <= #prefixes do
    local family, bits = sub(prefixes, i, i), byte(prefixes, i + 1)
    local whole, rest = math.floor(bits / 8), bits % 8
    local last = i + 1 + whole
    if family == sub(client, 1, 1) and
      sub(prefixes, i + 2, last) == sub(client, 2, whole + 1) then
      local cut = 2 ^ (8 - rest)
      if rest == 0 or math.floor(byte(prefixes, last + 1) / cut) ==
        math.floor(byte(client, whole + 2) / cut) then
        return true
      end
    end
    i = i + (family == '4' and 6 or 18)
  end
  return false
end

-- Asks whether anything refuses a click, in the order that recipients are
-- promised. The client's address, a letter (4 or 6) and its bytes, is what stands in
-- client from a place on. Returns an outcome's code (n not found, ? a record that this
-- version does not understand) and the clicks so far (5 bytes, as packed), or
-- nil, the clicks, whether the link needs confirmation, and whether it is used
-- up: then it lives on for grants alone.
local NEVER = pack(0, 6)

local function judge(link, head, history, client, from)
  if link and not known(link) or head and not known(head) then
    return '?'
  end
  -- What has no history could not be revoked, so it is not admitted either.
  if not head then
    return 'n'
  end
  -- The end inside the record is asked too, and the history: a key that was
  -- restored, or lost its TTL, opens nothing that has ended.
  local ended = byte(head, 2)
  if ended > 2 then
    return '?'
  end
  if ended == 1 or not link or int(link, 3, 6) <= now then
    if int(head, 21, 6) <= now then
      return 'n'
    end
    return ended == 1 and 'r' or ended == 2 and 'u' or 'e', clicks_at_end(history, head)
  end

  local version, flags = byte(link, 1, 2)
  local clicks, start = sub(link, 15, 19), sub(link, 9, 14)
  if version == 1 then
    if flags > 1 or start ~= NEVER then
      return '?'
    end
  else
    if flags > 3 then
      return '?'
    end
    local prefixes = sub(link, 27, 26 + int(link, 25, 2))
    if prefixes ~= '' and not allowed(prefixes, sub(client, from)) then
      return 'a', clicks
    end
  end
  if flags % 2 == 1 then
    return 's', clicks
  end
  if start ~= NEVER and int(start, 1, 6) > now then
    return 'y', clicks
  end
  return nil, clicks, flags >= 2, ended == 2
end
