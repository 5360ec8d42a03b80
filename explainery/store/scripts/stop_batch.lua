#!lua flags=allow-oom
-- Tell a batch to stop.
-- KEYS  1 prefix
-- ARGV  1 batch
-- Gives the status it had.

local name = key('batch', ARGV[1])
local status = redis.call('HGET', name, 'status')
if status == 'validating' or status == 'in_progress' or status == 'finalizing' then
  redis.call('HSET', name, 'status', 'cancelling', 'cancelling_ms', now)
end
return status
