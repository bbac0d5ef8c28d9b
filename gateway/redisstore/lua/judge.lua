-- Part of the scripts that decide a click.

-- Decides whether to refuse a click, by the rules in the documented order. client holds
-- the client's address, a letter (4 or 6) and its bytes, at position from. Returns the
-- letter of the refusal (n not found, ? a record that this version does not understand)
-- and the number of clicks (5 bytes, packed); or nil, the clicks, whether the link needs
-- confirmation, and whether the link is used up, so that only grants may use it. Rare
-- cases are not separate functions, because every call of the script would create the
-- functions.
local NEVER = '\0\0\0\0\0\0'
local FOUR, SIX = byte('46', 1, 2)

local function judge(link, head, history, client, from)
  if link and not known(link, PERMISSION) or head and not known(head, HISTORY) then
    return '?'
  end
  -- A link without a history could not be revoked, so it is refused.
  if not head then
    return 'n'
  end
  -- The script also checks the end in the record and the history, because a key that was
  -- restored or has lost its TTL must not open a link that has ended.
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
    local width = int(link, 25, 2)
    local prefixes = sub(link, 27, 26 + width)
    if #prefixes < width then
      return '?'
    end
    local allowed, i = prefixes == '', 1
    while i <= #prefixes and not allowed do
      local family, bits = byte(prefixes, i, i + 1)
      local size = family == FOUR and 4 or family == SIX and 16
      if not size or not bits or bits > 8 * size or i + 1 + size > #prefixes then
        return '?'
      end
      local rest = bits % 8
      local whole = (bits - rest) / 8
      if family == byte(client, from) and
        sub(prefixes, i + 2, i + 1 + whole) == sub(client, from + 1, from + whole) then
        local cut = 2 ^ (8 - rest)
        allowed = rest == 0 or math.floor(byte(prefixes, i + 2 + whole) / cut) ==
          math.floor(byte(client, from + 1 + whole) / cut)
      end
      i = i + 2 + size
    end
    if not allowed then
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
