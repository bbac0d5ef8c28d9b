-- Tells which commands this user may not run, without running any.
-- KEYS  1 any key
-- ARGV  each command with its arguments behind the key, joined by spaces
-- Returns those that are refused.
local refused = {}
for _, command in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(command, '%S+') do
    words[#words + 1] = word == 'KEY' and KEYS[1] or word
  end
  if not redis.acl_check_cmd(unpack(words)) then
    refused[#refused + 1] = words[1]
  end
end
return refused
