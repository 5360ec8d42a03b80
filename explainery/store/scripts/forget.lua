#!lua flags=allow-oom
-- Delete a job of any state with its inputs and result; its id is remembered.
-- KEYS  1 prefix
-- ARGV  1 id
-- Gives whom to ring or ''; false when there is no such job.

local job = fetch(ARGV[1])
if not job then return false end
return forget(job) and call(job.group) or ''
