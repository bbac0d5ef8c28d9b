-- Part of the scripts that give a link its end: a generation of indexes goes by
-- itself when the last history in it has gone. The retention may be longer than it
-- was when the link was issued.
local function keep(index, forgotten)
  if redis.call('PEXPIRETIME', index) < forgotten then
    redis.call('PEXPIREAT', index, forgotten)
  end
end
