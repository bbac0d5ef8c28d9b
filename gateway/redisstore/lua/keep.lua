-- Part of the scripts that give a link its end: a generation of indexes goes by
-- itself when the last history in it has gone.
local function keep(index, forgotten)
  if redis.call('PEXPIRETIME', index) < forgotten then
    redis.call('PEXPIREAT', index, forgotten)
  end
end
