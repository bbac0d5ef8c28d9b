-- Part of the script that changes a link.

-- Returns a permission with other restrictions, in version 2 at least, or nil if the
-- permission is broken. It keeps the end, the clicks, the largest number of clicks and what
-- is signed. prefixes, start (ms) and passphrase are nil for unchanged. key replaces the key
-- of nonces and grants if there is a new passphrase, so that nobody continues with the old
-- one, and if the permission had no key. confirms says whether the link needs confirmation.
local function restrict(link, prefixes, start, passphrase, key, confirms)
  local version, flags = byte(link, 1, 2)
  if flags > 3 or version == 1 and flags > 1 then
    return nil -- a flag that this version does not know may be a restriction
  end
  local most, old, secret, rest = pack(0, 5), '', '', sub(link, PERMISSION + 1)
  if version > 1 then
    local width = int(link, 25, 2)
    -- A stored passphrase has fewer than 128 bytes, so its length takes one byte.
    local size = byte(link, 43 + width)
    if not size or size > 127 or #link < 43 + width + size then
      return nil
    end
    most, old = sub(link, 20, 24), sub(link, 27, 26 + width)
    if not passphrase or passphrase == '' then
      key = sub(link, 27 + width, 42 + width)
    end
    secret = sub(link, 44 + width, 43 + width + size)
    rest = sub(link, 44 + width + size)
  end
  prefixes, secret = prefixes or old, passphrase or secret
  return char(math.max(version, 2), (confirms and 2 or 0) + flags % 2) .. sub(link, 3, 8) ..
    (start and pack(start, 6) or sub(link, 9, 14)) .. sub(link, 15, 19) .. most ..
    pack(#prefixes, 2) .. prefixes .. key .. char(#secret) .. secret .. rest
end
