-- Part of scripts that read the records of several links, or change them. Reads a
-- record by a command. One of another type is '?', which is no version that anybody
-- knows: it must not fail the others of its call. Any other error ends the script.
local function record(...)
  local value = attempt(...)
  if type(value) ~= 'table' then
    return value
  end
  if not string.find(value.err, '^WRONGTYPE') then
    error(value)
  end
  return '?'
end
