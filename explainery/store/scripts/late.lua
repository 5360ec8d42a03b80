#!lua flags=allow-oom
-- End a job whose last moment is over, where no worker and no reaper has come by to do so.
-- KEYS  1 prefix
-- ARGV  1 id
-- Gives whom to ring or ''; false when its time is not over, or it has ended.

local job = fetch(ARGV[1])
if not job or (job.state ~= 'queued' and job.state ~= 'running') or not overdue(job) then return false end
return close_late(job) and call(job.group) or ''
