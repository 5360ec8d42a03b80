#!lua flags=allow-oom
-- Cancel a queued or running job at once.
-- KEYS  1 prefix
-- ARGV  1 id
-- Gives the state the job was in (nothing is changed when it had ended) and whom to ring or ''; false when there is no such job.

local job = fetch(ARGV[1])
if not job then return false end
local state, bell = job.state, ''
if state == 'queued' or state == 'running' then
  if close_fenced(job, 'canceled') then bell = call(job.group) or '' end
end
return { state, bell }
