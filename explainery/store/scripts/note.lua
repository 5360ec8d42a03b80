#!lua flags=allow-oom
-- What a worker is about to do with a job that workers have died of: should it die again, this is what is known.
-- KEYS  1 prefix
-- ARGV  1 id  2 fence  3 what
-- Gives 1, or 0 when the claim is stale.

local job = fetch(ARGV[1])
if not job or job.state ~= 'running' or job.fence ~= ARGV[2] then return 0 end
redis.call('HSET', key('job', job.id), 'last_chunk', ARGV[3])
return 1
