-- Part of the scripts that issue, change and revoke links for operators.

-- Appends an operators' event. Each event names its link's previous one (10 bytes), so
-- that reading them needs no search. Removes events that are older than age milliseconds.
-- Returns the place of the event in the stream (10 bytes).
local function operation(stream, id, kind, previous, fields, age)
  local event = redis.call('XADD', stream, '*', VERSION, id .. kind .. previous .. fields)
  redis.call('XTRIM', stream, 'MINID', '~', string.format('%.0f', math.max(0, now - age)))
  local ms, seq = string.match(event, '(%d+)-(%d+)')
  return pack(tonumber(ms), 6) .. pack(tonumber(seq), 4)
end

-- Extends the TTL of an index to the end of a history that it lists. An index expires
-- with the last history of its index bucket. The retention may be longer now than at the
-- issue of the link.
local function keep(index, forgotten)
  if redis.call('PEXPIRETIME', index) < forgotten then
    redis.call('PEXPIREAT', index, forgotten)
  end
end
