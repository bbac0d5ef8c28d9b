-- Decides clicks that came at the same time, one after the other. A GET or POST of a plain
-- link is counted. A link that needs confirmation is shown, or left to the caller, and
-- never counted. A refusal writes no event: the caller decides which refusals get one.
-- KEYS  1 permission, 2 history, 3 stream of downloads, and so on for each click
-- ARGV  1 largest number of events in a stream, and 2 for each click: the attempt (method:
--       g, h or p; the answer for a link that needs confirmation: g page, c confirmation
--       required, or k if the caller must check a grant or a form; client address as in
--       judge.lua), and the event for the stream if the click is admitted
-- Returns the identifier of the call and 1 string for each click: the letter of a refusal;
-- d, now, permission for an admitted click; g or c or k, now, u if the link is used up and
-- - if not, length of the permission (3 bytes), permission, history for a link that needs
-- confirmation. now has 6 bytes. A record of another type, or a truncated one, is ? like one
-- of another version.
-- Every click is decided before the first write, so that no record can stop the others
-- after some were counted. If the server cannot write, it refuses the first write, and the
-- error belongs to all clicks.
-- This runs for every click, and everything that it creates costs, strings above all.
local KEYS, ARGV, answers = KEYS, ARGV, {ARGV[#ARGV]}
local HEAD, UNDECIDED = byte('hk', 1, 2)

-- The writes to do. By number of the click: the head of its history, to be written back, or
-- true, to count the click. By key of the permission: the clicks of that link so far.
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
    -- A HEAD counts nothing, but it writes, so that a master which has lost its replicas
    -- (min-replicas-to-write) refuses it like every click. LSET needs memory like a click,
    -- and it does not create the key if it has just expired, which can happen within a
    -- script of miniredis.
    call('LSET', history, '0', what)
    written = true
  end
end
return answers
