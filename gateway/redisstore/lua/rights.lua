-- Checks which commands this user may not run. It runs none of them.
-- KEYS  1 any key
-- ARGV  1 and more: a command each, with its arguments, separated by spaces; KEY stands for
--         the key
-- Returns the refused commands.
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
