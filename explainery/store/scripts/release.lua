#!lua flags=allow-oom
-- Give back at once what a worker held.
-- KEYS  1 prefix
-- ARGV  1 worker  2 '1' when the worker died (its jobs count a loss), '0' when it leaves in peace
-- Gives the groups to ring a bell for.

local rung, held = {}, key('held', ARGV[1])

each(redis.call('SMEMBERS', held), held, 'SREM', function(job)
  if job.state ~= 'running' or job.worker ~= ARGV[1] then
    redis.call('SREM', held, job.id)
    return
  end
  if ARGV[2] == '1' then lose(job) else requeue(job) end
  if job.state == 'queued' and ring(job.group) then rung[#rung + 1] = job.group end
end)
return rung
