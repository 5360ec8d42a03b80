#!lua flags=allow-oom
-- A worker's heartbeat: extend its leases, record progress.
-- KEYS  1 prefix
-- ARGV  1 worker, then for each claim: id, fence, done, total, unit
-- Gives the ids that are not this worker's any more: lost, ended, forgotten, or past their deadline (and expired here).

local worker, not_ours = ARGV[1], {}

local function renew(job, done, total, unit)
  if overdue(job) then
    close_late(job)
    return false
  end
  redis.call('ZADD', key('running'), now + LEASE, job.id)
  local said = redis.call('HMGET', key('job', job.id), 'done', 'total', 'unit')
  if said[1] ~= done or said[2] ~= total or said[3] ~= unit then
    tell_progress(job, done, total, unit)
  end
  return true
end

for i = 2, #ARGV, 5 do
  local job = fetch(ARGV[i])
  local ours = job and job.state == 'running' and job.worker == worker and job.fence == ARGV[i + 1]
  if not (ours and renew(job, ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])) then
    not_ours[#not_ours + 1] = ARGV[i]
  end
end
count('heartbeats')
return not_ours
