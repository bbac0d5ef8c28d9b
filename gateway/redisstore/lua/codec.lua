-- Part of every script. Numbers in packed records are unsigned, big-endian and of fixed
-- width, so that a script can overwrite them in place. This is the layout that the
-- scripts and the Go package record use.
--
-- Permission: 1 version, 2 flags (1 paused, 2 needs confirmation), 3-8 expires, 9-14 not
-- before, 15-19 clicks, 20- body, written by Go. In version 2 the body follows: 20-24
-- largest number of clicks (0: unlimited), 25-26 length of the allowed address prefixes
-- (0: every address), and the prefixes, each a letter (4 or 6), the number of significant
-- bits (1 byte) and the address (4 or 16 bytes). History: 1 version, 2 end (0 none, 1
-- revoked, 2 used up), 3-8 created, 9-14 expires, 15-20 ended, 21-26 forgotten, 27-31
-- clicks at the end, 32-41 place of the newest operators' event, 42- body, written by Go,
-- and after a revocation the operator and the reason. Version 2 is for links with
-- restrictions. Version 3 adds later fields to the history; a permission of version 3 has
-- the layout of version 2. A link is written in the oldest version that can express it. A
-- gateway refuses a link of an unknown version and serves all others. A link for anything
-- but downloads will have flag 4, which this version refuses. Event of a click in the
-- link's list: 1 version, 2 kind, 3 method, 4 outcome, 5-10 time, 11-15 clicks so far,
-- 16- client address. Times are Unix milliseconds by this server's clock.
local VERSION = 1
local call, attempt = redis.call, redis.pcall
local byte, char, sub = string.byte, string.char, string.sub

-- The lengths of the fixed parts of every permission, of every history, and of every
-- permission from version 2 on.
local PERMISSION, HISTORY, RESTRICTED = 19, 41, 26

-- Reports whether a record has a known version and at least its fixed part. A truncated
-- record is refused like one of another version, because reading after its end would be
-- an error that fails all links of the call.
local function known(record, least)
  local version = byte(record, 1)
  return #record >= least and version >= 1 and version <= 3 and
    (version == 1 or least ~= PERMISSION or #record >= RESTRICTED)
end

-- Reads a number of 2 to 7 bytes.
local function int(s, from, width)
  local a, b, c, d, e, f, g = byte(s, from, from + width - 1)
  local n = a * 256 + b
  if c then n = n * 256 + c end
  if d then n = n * 256 + d end
  if e then n = n * 256 + e end
  if f then n = n * 256 + f end
  if g then n = n * 256 + g end
  return n
end

-- Packs a number in at most 7 bytes.
local function pack(n, width)
  local g = n % 256
  n = (n - g) / 256
  local f = n % 256
  n = (n - f) / 256
  local e = n % 256
  n = (n - e) / 256
  local d = n % 256
  n = (n - d) / 256
  local c = n % 256
  n = (n - c) / 256
  local b = n % 256
  return sub(char((n - b) / 256, b, c, d, e, f, g), 8 - width)
end

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
