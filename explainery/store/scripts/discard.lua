#!lua flags=allow-oom
-- Forget a file, unless a batch still reads it.
-- KEYS  1 prefix
-- ARGV  1 file
-- Gives 1, 0 when it is in use.

local file = ARGV[1]
if redis.call('EXISTS', key('readers', file)) == 1 then return 0 end
local tenant = redis.call('HGET', key('file', file), 'tenant')
if tenant then redis.call('ZREM', key('files', tenant), file) end
redis.call('ZREM', key('files_due'), file)
redis.call('DEL', key('file', file), key('parts', file))
return 1
