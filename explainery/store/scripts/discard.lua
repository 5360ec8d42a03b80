#!lua flags=allow-oom
-- Forget a file, or one whose upload broke off, unless a batch still reads it; its bytes are its tenant's again.
-- KEYS  1 prefix
-- ARGV  1 file
-- Gives 1, 0 when it is in use.

local file = ARGV[1]
if redis.call('EXISTS', key('readers', file)) == 1 then return 0 end
local tenant = redis.call('HGET', key('file', file), 'tenant') or redis.call('GET', key('upload', file))
if tenant then
  redis.call('ZREM', key('files', tenant), file)
  hold_bytes(file, tenant, 0)
end
redis.call('ZREM', key('files_due'), file)
redis.call('DEL', key('file', file), key('parts', file), key('upload', file))
return 1
