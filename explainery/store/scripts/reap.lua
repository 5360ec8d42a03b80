#!lua flags=allow-oom
-- Put right what nobody else will: lost leases, passed deadlines, old jobs, dead workers, lost bells.
-- KEYS  1 prefix
-- ARGV  1 messages the broker still holds  2 most jobs of each kind to treat in this call
-- Gives requeued, failed, expired, forgotten, then the groups to ring a bell for.

local backlog, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local AGAIN = 1000 -- ms after its last bell at which a line that still waits gets one more, so that idle workers come to help
local QUIET, PATIENCE = 5000, 30000 -- ms after which bells that nobody answered are given up as lost: broker empty, broker busy
local requeued, failed, expired, forgotten, rung = 0, 0, 0, 0, {}

local function due(kind)
  return redis.call('ZRANGEBYSCORE', key(kind), '-inf', now, 'LIMIT', 0, limit)
end

each(due('deadlines'), key('deadlines'), 'ZREM', function(job)
  close_fenced(job, 'expired', 'error', DEADLINE_ERROR)
  expired = expired + 1
end)

each(due('running'), key('running'), 'ZREM', function(job)
  lose(job)
  if job.state == 'queued' then requeued = requeued + 1 else failed = failed + 1 end
end)

-- A record that expired before any reaper ran took its model's and decision's name along: `listing.py` drops those entries.
for _, id in ipairs(due('ending')) do
  local job = fetch(id)
  if job then
    forget(job)
  else
    for _, kind in ipairs({ 'ending', 'jobs' }) do redis.call('ZREM', key(kind), id) end
    for state in pairs(ALLOWED) do redis.call('ZREM', key('state', state), id) end
  end
  forgotten = forgotten + 1
end

redis.call('ZREMRANGEBYSCORE', key('workers'), '-inf', now - LEASE)

-- Nobody waits and no message is under way: bells still counted were lost, and must not silence the next one.
if backlog == 0 then
  for _, group in ipairs(redis.call('HKEYS', key('bells'))) do
    if not redis.call('ZSCORE', key('groups'), group) then redis.call('HDEL', key('bells'), group) end
  end
end

local waiting = redis.call('ZRANGE', key('groups'), 0, -1, 'WITHSCORES')
for i = 1, #waiting, 2 do
  local group, age = waiting[i], now - waiting[i + 1]
  if age > (backlog == 0 and QUIET or PATIENCE) then redis.call('HDEL', key('bells'), group) end
  local silent = redis.call('HEXISTS', key('bells'), group) == 0
  if (silent or age > AGAIN) and ring(group) then rung[#rung + 1] = group end
end
return { requeued, failed, expired, forgotten, unpack(rung) }
