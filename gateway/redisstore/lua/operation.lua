-- Part of the scripts that append an operators' event. Each names the one of its
-- link before it (10 bytes), so that none is searched for. Returns its own 10
-- bytes. What is older than age milliseconds goes.
local function operation(stream, id, kind, before, fields, age)
  local event = redis.call('XADD', stream, '*', VERSION, id .. kind .. before .. fields)
  redis.call('XTRIM', stream, 'MINID', '~', string.format('%.0f', math.max(0, now - age)))
  local ms, seq = string.match(event, '(%d+)-(%d+)')
  return pack(tonumber(ms), 6) .. pack(tonumber(seq), 4)
end
