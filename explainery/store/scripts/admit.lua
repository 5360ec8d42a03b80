#!lua
-- Enter a job into the line. No allow-oom: a full Redis takes no new work.
-- KEYS  1 prefix
-- ARGV  1 id  2 group  3 model  4 decision id or ''  5 rows  6 class (0 interactive, 1 batch)  7 deadline from now in ms or ''
--       8 spec, JSON  9 inputs, safetensors  10 most jobs that may wait
-- Gives 1: ring a bell for the group; 0: enough bells are out; -1: refused, too many jobs wait.

local id, group, model, decision = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

-- Said again because the answer was lost on its way: the bell may be lost too.
if redis.call('EXISTS', key('job', id)) == 1 then return 1 end
if redis.call('ZCARD', key('state', 'queued')) >= tonumber(ARGV[10]) then return -1 end

local order = redis.call('INCR', key('sequence'))
-- Class before order; exact in a double until the 10^15th job.
local place = ARGV[6] * 1e15 + order
redis.call('HSET', key('job', id), 'spec', ARGV[8], 'state', 'queued', 'group', group, 'model', model, 'rows', ARGV[5],
  'order', order, 'place', place, 'created', now, 'fence', 0, 'attempts', 0, 'losses', 0, 'revision', 1)
redis.call('SET', key('inputs', id), ARGV[9])
redis.call('ZADD', key('jobs'), order, id)
redis.call('ZADD', key('state', 'queued'), order, id)
redis.call('ZADD', key('model', model), order, id)
if decision ~= '' then
  redis.call('HSET', key('job', id), 'decision', decision)
  redis.call('ZADD', key('decision', decision), order, id)
end
if ARGV[7] ~= '' then
  redis.call('HSET', key('job', id), 'deadline', now + ARGV[7])
  redis.call('ZADD', key('deadlines'), now + ARGV[7], id)
end
enter_line({ id = id, group = group, place = place })
redis.call('PUBLISH', key('changes'), id .. ' queued')
-- A worker that drains the group comes back until the line is empty, and a bell that is out wakes one more: when that is all
-- that live, another bell would wake nobody. (One that was lost: reap rings again.)
local AT_WORK = 2000 -- ms since a worker's last look; no look for longer, and it may be dead
local live = redis.call('ZCARD', key('workers'))
local at_work = redis.call('ZCOUNT', key('draining', group), now - AT_WORK, '+inf')
local served = live > 0 and at_work + (redis.call('HGET', key('bells'), group) or 0) >= live
return not served and ring(group) and 1 or 0
