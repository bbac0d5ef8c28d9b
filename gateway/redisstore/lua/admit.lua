-- Judges clicks that came at the same time, one after the other. Where a link is
-- a plain one, a GET or POST is counted; one that needs confirmation is shown, or
-- left to whoever asked, and never counted. What is refused leaves no event here:
-- the caller decides which refusals are worth one.
-- KEYS  1 permission, 2 history, 3 stream of downloads' events, and so on for each
--       click
-- ARGV  1 the most events that a stream keeps, and 2 for each click: what is asked
--       (method: g, h or p; what a link that needs confirmation is answered with:
--       g page, c confirmation required, or k, where a grant or a form is still to
--       be looked at; client address as judge.lua has it), and the event that the
--       stream keeps of it where it is admitted
-- Returns the identifier of the call and 1 string for each click: the outcome's
-- code of a refusal; d, now, permission of a click that is admitted; g or c or k,
-- now, u where the link is used up and - where not, the length of the permission
-- (3 bytes), permission, history of a link that needs confirmation. Every now is
-- of 6 bytes. A record of another type, or one that is cut short, is ? like one of
-- another version.
-- Every click is decided before the first write, so that no record can stop the
-- others when some of them have been counted. What a server refuses to write is an
-- error of all clicks: it refuses the first.
-- This runs for every click: what is made here, strings above all, costs.
local KEYS, ARGV, answers = KEYS, ARGV, {ARGV[#ARGV]}
local HEAD, UNDECIDED = byte('hk', 1, 2)

-- What is to be written: for a click by its number its history's head, to be put where
-- it is, or true, to be counted; by their permissions the clicks so far of those links.
local todo = {}
for i = 1, #KEYS / 3 do
  local permission, history = KEYS[3 * i - 2], KEYS[3 * i - 1]
  local asked = ARGV[2 * i]
  local method, ask = byte(asked, 1, 2)
  local link, head = attempt('GET', permission), attempt('LINDEX', history, '0')
  local refused, clicks, limited, used
  if type(link) == 'table' or type(head) == 'table' then
    for _, value in pairs({link, head}) do
      if type(value) == 'table' and not string.find(value.err, '^WRONGTYPE') then
        error(value)
      end
    end
    refused = '?'
  else
    refused, clicks, limited, used = judge(link, head, history, asked, 3)
    if used and (ask ~= UNDECIDED or not limited) then
      refused = 'u'
    end
  end
  if refused then
    answers[i + 1] = refused
  elseif limited then
    answers[i + 1] = char(ask) .. stamp .. (used and 'u' or '-') .. pack(#link, 3) .. link .. head
    todo[i] = head
  else
    answers[i + 1] = 'd' .. stamp .. link
    if method == HEAD then
      todo[i] = head
    else
      todo[i], todo[permission] = true, clicks
    end
  end
end

for i = 1, #KEYS / 3 do
  local permission, history, what = KEYS[3 * i - 2], KEYS[3 * i - 1], todo[i]
  if what == true then
    local clicks = todo[permission]
    local last = byte(clicks, 5)
    clicks = last < 255 and sub(clicks, 1, 4) .. char(last + 1) or pack(int(clicks, 1, 5) + 1, 5)
    if append(history, KEYS[3 * i], ARGV[2 * i + 1], clicks, ARGV[1]) then
      call('SETRANGE', permission, '14', clicks)
      todo[permission] = clicks
    else
      answers[i + 1] = '?'
    end
  elseif what then
    -- This counts nothing, but it writes, so that a master which has lost its
    -- replicas (min-replicas-to-write) refuses it as it refuses every click.
    -- It puts the history's head where it is, which needs memory as a click does,
    -- and makes nothing of a key that has just expired, as one can within a script
    -- in miniredis.
    call('LSET', history, '0', what)
    written = true
  end
end
return answers
