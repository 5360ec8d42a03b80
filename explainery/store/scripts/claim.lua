#!lua flags=allow-oom
-- Take jobs of one group from the head of the line and lease them to a worker.
-- KEYS  1 prefix
-- ARGV  1 group  2 worker  3 most jobs  4 most rows  5 most bytes of inputs  6 '1' when this answers a bell
--       7 '1' when the jobs join others the worker has in hand
-- Gives one row per claim: id, spec, fence, attempts, created, deadline or '', losses, inputs.
--
-- At least one job is given whatever its rows and bytes, unless it is to join others. A job that lost a worker is claimed alone
-- and joins no others: should it be the one that kills workers, it takes no other with it.
-- Up to BELLS bells of a group are out while it waits: this worker comes back until the line is empty, admit rings for each
-- bell that was answered, and reap rings for lines that nothing is added to.

local group, worker = ARGV[1], ARGV[2]
local max_jobs, max_rows, max_bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local joining = ARGV[7] == '1'
local LOOK = 500 -- jobs past their deadline must not hold up the server: the rest is the next claim's

if ARGV[6] == '1' and redis.call('HINCRBY', key('bells'), group, -1) <= 0 then
  redis.call('HDEL', key('bells'), group)
end

local claims, rows, bytes = {}, 0, 0

local function fits(job, size)
  if #claims == 0 and not joining then return true end
  return job.losses == '0' and rows + job.rows <= max_rows and bytes + size <= max_bytes
end

local function take(job, size)
  rows, bytes = rows + job.rows, bytes + size
  local record, fence = key('job', job.id), job.fence + 1
  local attempts = redis.call('HINCRBY', record, 'attempts', 1)
  leave_line(job)
  move(job, 'running', 'worker', worker, 'fence', fence, 'started', now)
  redis.call('ZADD', key('running'), now + LEASE, job.id)
  redis.call('SADD', key('held', worker), job.id)
  local said = redis.call('HMGET', record, 'spec', 'created')
  claims[#claims + 1] = { job.id, said[1], fence, attempts, said[2], job.deadline or '', job.losses,
    redis.call('GET', key('inputs', job.id)) }
end

for _ = 1, max_jobs + LOOK do
  local id = redis.call('ZRANGE', key('waiting', group), 0, 0)[1]
  if not id or #claims >= max_jobs then break end
  local job = fetch(id)
  if not job then
    redis.call('ZREM', key('waiting', group), id)
  elseif overdue(job) then
    close_fenced(job, 'expired', 'error', DEADLINE_ERROR)
  else
    local size = redis.call('STRLEN', key('inputs', id))
    if not fits(job, size) then break end
    take(job, size)
    if job.losses ~= '0' then break end
  end
end

-- In the same step in which a worker finds the line empty and leaves, it is known to have left: admit rings again from then on.
local draining = key('draining', group)
if #claims == 0 and not joining then
  redis.call('ZREM', draining, worker)
else
  redis.call('ZADD', draining, now, worker)
  redis.call('PEXPIRE', draining, 60000)
end
return claims
