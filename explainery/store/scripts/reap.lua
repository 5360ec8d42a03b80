#!lua flags=allow-oom
-- Put right what nobody else will: lost leases, passed deadlines, delays and waits that are over, old jobs, dead workers, lost
-- bells, and the lines of models that are quarantined.
-- KEYS  1 prefix
-- ARGV  1 messages the broker still holds  2 most jobs of each kind to treat in this call
-- Gives requeued, failed, expired, forgotten, then whom to ring, once for each bell.

local backlog, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local AGAIN = 1000 -- ms after the last bell at which, while jobs wait, one more is rung: idle workers come to help
local QUIET, PATIENCE = 5000, 30000 -- ms after which bells that nobody answered are given up as lost: broker empty, broker busy
local requeued, failed, expired, forgotten, calls = 0, 0, 0, 0, {}

local function due(kind, by)
  return redis.call('ZRANGEBYSCORE', key(kind), '-inf', by or now, 'LIMIT', 0, limit)
end

each(due('deadlines'), key('deadlines'), 'ZREM', function(job)
  close_late(job)
  if job.state == 'expired' then expired = expired + 1 end
end)

local dead = {}
each(due('running'), key('running'), 'ZREM', function(job)
  count('lost_leases')
  local worker = job.worker
  lose(job, 'went silent')
  if job.state == 'queued' then requeued = requeued + 1 else failed = failed + 1 end
  if not dead[worker .. ' ' .. job.group] then
    dead[worker .. ' ' .. job.group] = true
    note_death(job.group, 'went silent')
  end
end)

each(due('delayed'), key('delayed'), 'ZREM', function(job)
  redis.call('ZREM', key('delayed'), job.id)
  stand(job, 'line')
end)

each(due('aging', now - BATCH_AGE), key('aging'), 'ZREM', hurry)

for _, group in ipairs(redis.call('HKEYS', key('banned'))) do
  for _, priority in ipairs(CLASSES) do
    local line = key('line', priority .. ':' .. group)
    each(redis.call('ZRANGE', line, 0, limit - 1), line, 'ZREM', function(job)
      close_fenced(job, 'failed', 'error', BANNED_ERROR)
      failed = failed + 1
    end)
  end
end

-- A record that expired before any reaper ran took its model's and decision's name along: `listing.py` drops those entries.
for _, id in ipairs(due('ending')) do
  local job = fetch(id)
  if job then
    forget(job)
  else
    for _, kind in ipairs({ 'ending', 'jobs', 'quarantine' }) do redis.call('ZREM', key(kind), id) end
    local tenant = owner_of(id)
    if tenant then
      redis.call('ZREM', key('jobs', tenant), id)
      hold_bytes(id, tenant, 0)
    end
    for state in pairs(ALLOWED) do
      redis.call('ZREM', key('state', state), id)
      if tenant then redis.call('ZREM', key('state', tenant .. ':' .. state), id) end
    end
  end
  forgotten = forgotten + 1
end

redis.call('ZREMRANGEBYSCORE', key('workers'), '-inf', now - LEASE)
redis.call('ZREMRANGEBYSCORE', key('awake'), '-inf', now - LEASE)

-- When nobody waits, whoever comes next starts level: what was promised before is over.
local waits = false
for _, priority in ipairs(CLASSES) do
  if redis.call('EXISTS', key('groups', priority)) == 1 then
    waits = true
  else
    local last = redis.call('ZRANGE', key('promised', priority), -1, -1, 'WITHSCORES')
    if last[2] then advance(priority, last[2]) end
    redis.call('DEL', key('promised', priority))
  end
end

-- Bells that nobody answered were lost, and must not silence the next one.
local lost_before = now - ((backlog == 0 and QUIET or PATIENCE))
if not waits and backlog == 0 then lost_before = now end
for _, whom in ipairs(redis.call('ZRANGEBYSCORE', key('rung'), '-inf', lost_before)) do
  redis.call('HDEL', key('bells'), whom)
  redis.call('ZREM', key('rung'), whom)
end

if waits then
  local rung = redis.call('ZRANGE', key('rung'), -1, -1, 'WITHSCORES')[2]
  local silent = redis.call('EXISTS', key('bells')) == 0
  if (silent or not rung or now - rung > AGAIN) and ring(ANYBODY, BELLS) then calls[#calls + 1] = ANYBODY end
end
return { requeued, failed, expired, forgotten, unpack(calls) }
