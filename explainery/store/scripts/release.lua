#!lua flags=allow-oom
-- A worker leaves, or has died: give back at once what it held, and list it no more.
-- KEYS  1 prefix
-- ARGV  1 worker  2 '1' when the worker died (its jobs count a loss), '0' when it leaves in peace
--       3 how it ended  4.. ids that count a loss though it leaves in peace: it was hanging in their call
-- Gives whom to ring, once for each bell.

redis.call('ZREM', key('workers'), ARGV[1])
redis.call('DEL', key('worker', ARGV[1]))
local calls, held, groups, suspects = {}, key('held', ARGV[1]), {}, {}
for i = 4, #ARGV do suspects[ARGV[i]] = true end

each(redis.call('SMEMBERS', held), held, 'SREM', function(job)
  if job.state ~= 'running' or job.worker ~= ARGV[1] then
    redis.call('SREM', held, job.id)
    return
  end
  local lost = ARGV[2] == '1' or suspects[job.id]
  if lost then lose(job, ARGV[3]) else requeue(job) end
  groups[job.group] = lost or groups[job.group] or false
end)
redis.call('HDEL', key('bells'), ARGV[1])
redis.call('ZREM', key('rung'), ARGV[1])
redis.call('ZREM', key('awake'), ARGV[1])
for group, lost in pairs(groups) do
  if lost then note_death(group, ARGV[3]) end
  local whom = call(group)
  if whom then calls[#calls + 1] = whom end
end
return calls
