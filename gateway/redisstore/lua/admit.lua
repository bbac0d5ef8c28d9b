-- Decides clicks that arrived at the same time, one after the other. It counts a GET or POST
-- of a plain link. For a link that needs confirmation it counts nothing: it answers with the
-- page, or leaves the decision to the caller. A refusal writes no event, because the caller
-- decides which refusals get one.
-- KEYS  1 permission
--       2 history
--       3 stream of downloads, and so on: three keys for each click
-- ARGV  1 largest number of events in a stream, then two arguments for each click:
--       2 attempt: method (g, h or p), answer for a link that needs confirmation (g page, c
--         confirmation required, k the caller checks a grant or form), client address as in
--         judge.lua
--       3 event for the stream if the click is admitted
-- Returns the identifier of the call, and for each click one of these strings:
--       letter of a refusal; ? for a record that this version cannot read, also a truncated
--         one or one of another type
--       letter of a refusal, now (6 bytes), history: the link exists or existed, and the
--         answer may be a page (g or k), which shows facts about the link
--       d, now (6 bytes), permission: the click is admitted
--       g, c or k, now (6 bytes), u (used up) or -, length of the permission (3 bytes),
--         permission, history: the link needs confirmation
-- The script decides every click before its first write, so that a broken record cannot stop
-- it after some clicks are counted. If the server cannot write, it refuses the first write,
-- and all clicks get the error.
-- The script runs for every click, so each string and table that it creates has a cost.
local KEYS, ARGV, answers = KEYS, ARGV, {ARGV[#ARGV]}
local HEAD, UNDECIDED, PROGRAM = byte('hkc', 1, 3)

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
    local plain = ask == PROGRAM or refused == 'n' or refused == '?'
    answers[i + 1] = plain and refused or refused .. stamp .. head
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
