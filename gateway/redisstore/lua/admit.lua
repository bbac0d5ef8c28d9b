-- Judges clicks that came at the same time, one after the other. Where a link is
-- a plain one, a GET or POST is counted; one that needs confirmation is shown, or
-- left to whoever asked, and never counted.
-- KEYS  1 permission, 2 history, 3 stream of clicks' events, and so on for each
--       click
-- ARGV  1 the most events that a stream keeps, and 2 for each click: what is asked
--       (method: g, h or p; what a link that needs confirmation is answered with:
--       g page, c confirmation required, or k, where a grant or a form is still to
--       be looked at; client address as judge.lua has it), and the event that the
--       stream keeps of it where it is admitted
-- Returns 1 string for each click: the outcome's code of a refusal; d, now,
-- permission of a click that is admitted; g or c or k, now, u where the link is
-- used up and - where not, the length of the permission (3 bytes), permission,
-- history of a link that needs confirmation. Every now is of 6 bytes.
-- A record of another type is ? like one of another version. What a server
-- refuses to write is an error of all clicks: it refuses the first.
-- This runs for every click: what is made here, strings above all, costs.
local KEYS, ARGV, answers = KEYS, ARGV, {}

local HEAD, PAGE, UNDECIDED = byte('hgk', 1, 3)

local function admit(permission, history, stream, asked, event)
  local method, ask = byte(asked, 1, 2)
  local link, head = attempt('GET', permission), attempt('LINDEX', history, '0')
  if type(link) == 'table' or type(head) == 'table' then
    for _, value in pairs({link, head}) do
      if type(value) == 'table' and not string.find(value.err, '^WRONGTYPE') then
        error(value)
      end
    end
    return '?'
  end
  local refused, clicks, limited, used = judge(link, head, history, asked, 3)
  if used and (ask ~= UNDECIDED or not limited) then
    refused = 'u'
  end
  if refused == 'n' or refused == '?' or refused and method == HEAD then
    return refused
  end
  local counted = false
  if refused then
    event = sub(event, 1, 16) .. 'x' .. char(method) .. refused .. sub(event, 20)
  elseif method == HEAD or limited and ask == UNDECIDED then
    -- This counts nothing, but it writes, so that a master which has lost its
    -- replicas (min-replicas-to-write) refuses it as it refuses every click.
    -- It puts the history's head where it is, which needs memory as a click does,
    -- and makes nothing of a key that has just expired, as one can within a script
    -- in miniredis.
    call('LSET', history, '0', head)
    event = nil
  elseif limited then
    event = sub(event, 1, 16) .. (ask == PAGE and 'g' or 'x') .. char(method, ask) .. sub(event, 20)
  else
    local last = byte(clicks, 5)
    clicks = last < 255 and sub(clicks, 1, 4) .. char(last + 1) or pack(int(clicks, 1, 5) + 1, 5)
    counted = true
  end
  if event and not append(history, stream, event, clicks, ARGV[1]) then
    return '?'
  end
  if counted then
    call('SETRANGE', permission, '14', clicks)
  end
  if refused then
    return refused
  end
  if limited then
    return char(ask) .. stamp .. (used and 'u' or '-') .. pack(#link, 3) .. link .. head
  end
  return 'd' .. stamp .. link
end

for i = 1, #KEYS / 3 do
  local key = 3 * i
  answers[i] = admit(KEYS[key - 2], KEYS[key - 1], KEYS[key], ARGV[2 * i], ARGV[2 * i + 1])
end
return answers
