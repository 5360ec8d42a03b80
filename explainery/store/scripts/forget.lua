#!lua flags=allow-oom
-- Delete a job of any state with its inputs and result; its id is remembered.
-- KEYS  1 prefix
-- ARGV  1 id
-- Gives 1, or 0 when there is no such job.

local job = fetch(ARGV[1])
if not job then return 0 end
forget(job)
return 1
