-- Judges clicks that came at the same time, one after the other. Where a link is
-- a plain one, a GET or POST is counted; one that needs confirmation is shown, or
-- left to whoever asked, and never counted.
-- KEYS  1 permission, 2 history, 3 stream of clicks' events, and so on for each click
-- ARGV  1 the most events that a stream keeps, and 1 for each click: id (16
--       bytes), method (g, h, p), what a link that needs confirmation is answered
--       with (g page, c confirmation required, or k, where a grant or a form is
--       still to be looked at), the length of the client address as judge.lua has
--       it (1 byte), that address, and the client address as it is kept
-- Returns 1 string for each click: the outcome's code of a refusal; d, now,
-- permission of a click that is admitted; g or c or k, now, u where the link is
-- used up and - where not, the length of the permission (3 bytes), permission,
-- history of a link that needs confirmation. Every now is of 6 bytes.
-- A record of another type is ? like one of another version. What a server
-- refuses to write is an error of all clicks: it refuses the first.
local most, answers = ARGV[1], {}

-- Reads a key of a type; what has another is told from what is not there.
local function read(...)
  local value = attempt(...)
  if type(value) ~= 'table' then
    return value
  end
  if string.find(value.err, '^WRONGTYPE') then
    return '?'
  end
  error(value)
end

-- Adds one to a packed number of clicks.
local function increase(clicks)
  local last = byte(clicks, 5)
  if last < 255 then
    return sub(clicks, 1, 4) .. char(last + 1)
  end
  return pack(int(clicks, 1, 5) + 1, 5)
end

local function admit(permission, history, stream, asked)
  local method, ask = sub(asked, 17, 17), sub(asked, 18, 18)
  local behind = 20 + byte(asked, 19)
  local link = read('GET', permission)
  local head = read('LINDEX', history, '0')
  local refused, clicks, limited, used = judge(link, head, history, sub(asked, 20, behind - 1))
  if used and (ask ~= 'k' or not limited) then
    refused = 'u'
  end
  local kind = 'd'
  if refused then
    if method == 'h' or refused == 'n' or refused == '?' then
      return refused
    end
    kind = 'x'
  elseif method == 'h' or limited and ask == 'k' then
    -- This counts nothing, but it writes, so that a master which has lost its
    -- replicas (min-replicas-to-write) refuses it as it refuses every click.
    -- It puts the history's head where it is, which needs memory as a click does,
    -- and makes nothing of a key that has just expired, as one can within a script
    -- in miniredis.
    call('LSET', history, '0', head)
    kind = ''
  elseif limited then
    kind = ask == 'g' and 'g' or 'x'
  else
    clicks = increase(clicks)
  end
  if kind ~= '' and not append(history, stream, sub(asked, 1, 16),
      kind .. method .. (refused or limited and ask or 'd'), clicks, sub(asked, behind), most) then
    return '?'
  end
  if refused then
    return refused
  elseif limited then
    return ask .. stamp .. (used and 'u' or '-') .. pack(#link, 3) .. link .. head
  elseif kind == 'd' then
    call('SETRANGE', permission, '14', clicks)
  end
  return 'd' .. stamp .. link
end

for i = 2, #ARGV do
  local key = 3 * i - 5
  answers[i - 1] = admit(KEYS[key], KEYS[key + 1], KEYS[key + 2], ARGV[i])
end
return answers
