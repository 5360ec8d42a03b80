#!lua flags=allow-oom
-- Cancel a queued or running job at once.
-- KEYS  1 prefix
-- ARGV  1 id
-- Gives the state the job was in (nothing is changed when it had ended), or false when there is no such job.

local job = fetch(ARGV[1])
if not job then return false end
local state = job.state
if state == 'queued' or state == 'running' then close_fenced(job, 'canceled') end
return state
