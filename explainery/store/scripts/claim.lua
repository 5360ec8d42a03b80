#!lua flags=allow-oom
-- Take jobs of one group from its line and lease them to a worker.
-- KEYS  1 prefix
-- ARGV  1 worker  2 group, or '' to be given the one whose turn it is  3 most jobs  4 most rows  5 most bytes of inputs
--       6 most microseconds of compute, as estimated  7 whom the bell was for that this answers, or ''
--       8 '1' when the jobs join others the worker has in hand, or it will look again whatever it finds
--       9 newest form of records this worker reads  10 '1' when it has worked on this group for long: others go before
-- Gives the group ('' when there is none), then one row per claim: id, spec, fence, attempts, created, deadline or '', losses,
-- cost, inputs.
--
-- At least one job is given whatever its rows, bytes and cost, unless it is to join others. A job that lost a worker is claimed
-- alone and joins no others: should it be the one that kills workers, it takes no other with it.

local worker, group = ARGV[1], ARGV[2]
local max_jobs, max_rows, max_bytes, max_cost = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local joining, newest_form = ARGV[8] == '1', tonumber(ARGV[9])
local LOOK = 500 -- jobs past their deadline must not hold up the server: the rest is the next claim's
local GROUPS = 64 -- groups looked at for one choice
local HELP = 500 -- ms a line waits for the workers that have its model before another may load it too
local FEW = 8 -- workers that have a model, up to which it is looked whether each still lives
local LATE = 10000 -- ms a line may have waited longer than the line chosen, since its turn or since its head came

if ARGV[7] ~= '' then
  if redis.call('HINCRBY', key('bells'), ARGV[7], -1) <= 0 then redis.call('HDEL', key('bells'), ARGV[7]) end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('delayed'), '-inf', now, 'LIMIT', 0, 50)) do
  local job = fetch(id)
  redis.call('ZREM', key('delayed'), id)
  if job then stand(job, 'line') end
end

-- A worker leaves records of a newer form to newer workers: the form is the group's ending.
local function readable(name)
  local form = string.match(name, '#(%d+)$')
  return not form or tonumber(form) <= newest_form
end

-- How many microseconds of fairness it costs this worker to turn to a group: none when it has the model; the time of loading it
-- when nobody has, and as much again for each that has; nil, too many, while those who have it are likely to come.
local function penalty_of(name, waited)
  local resident = key('resident', name)
  local said = redis.call('ZSCORE', resident, worker)
  if said and tonumber(said) >= now - LEASE then return 0 end
  local at_home = redis.call('ZCOUNT', resident, now - LEASE, '+inf')
  if at_home <= FEW then at_home = #homes(name) end -- of many it does not matter that some have died since their last word
  local load_ms = tonumber(redis.call('HGET', key('loads'), name) or 0)
  if at_home > 0 and waited < math.max(HELP, load_ms) then return nil end
  return math.max(AFFINITY, load_ms * 1000) * (1 + at_home)
end

-- The group whose turn it is. Of each class, interactive first: the one that is furthest behind, the price of loading its model
-- counted; but none waits `LATE` longer than that, however long its model takes to load.
local function pick()
  for _, priority in ipairs(CLASSES) do
    local best, best_score, best_since, oldest, oldest_since
    local heads = redis.call('ZRANGE', key('groups', priority), 0, GROUPS - 1, 'WITHSCORES')
    for i = 1, #heads, 2 do
      local name = heads[i]
      local head = redis.call('ZRANGE', key('line', priority .. ':' .. name), 0, 0)[1]
      local came = tonumber(head and redis.call('HGET', key('job', head), 'created') or now)
      local penalty = readable(name) and penalty_of(name, now - came)
      if penalty then
        local since = math.max(came, tonumber(redis.call('ZSCORE', key('turns'), name) or 0))
        local score = heads[i + 1] + penalty
        if not best or score < best_score then best, best_score, best_since = name, score, since end
        if not oldest or since < oldest_since then oldest, oldest_since = name, since end
      end
    end
    if best then return best_since - oldest_since > LATE and oldest or best end
  end
  return ''
end

local claims, rows, bytes, cost = {}, 0, 0, 0

local function fits(job)
  if #claims == 0 and not joining then return true end
  return job.losses == '0' and rows + job.rows <= max_rows and bytes + job.size <= max_bytes and cost + job.cost <= max_cost
end

local function take(job)
  rows, bytes, cost = rows + job.rows, bytes + job.size, cost + job.cost
  local record, fence = key('job', job.id), job.fence + 1
  local attempts = redis.call('HINCRBY', record, 'attempts', 1)
  leave_spot(job)
  move(job, 'running', 'worker', worker, 'fence', fence, 'started', now)
  redis.call('ZADD', key('running'), now + LEASE, job.id)
  redis.call('SADD', key('held', worker), job.id)
  if attempts == 1 then observe('wait', now - job.created) end
  advance(job.priority, job.tag)
  claims[#claims + 1] = { job.id, redis.call('HGET', record, 'spec'), fence, attempts, job.created, job.deadline or '', job.losses,
    job.cost, redis.call('GET', key('inputs', job.id)) }
end

-- Whether interactive jobs of other groups wait: then no batch job joins what this worker has in hand.
local function urgent_elsewhere()
  local urgent = redis.call('ZCARD', key('groups', 'interactive'))
  return urgent > 0 and not (urgent == 1 and redis.call('ZSCORE', key('groups', 'interactive'), group))
end

-- Take from one line until it is empty or the worker has enough; gives whether it may take more.
local function fill(priority)
  local line = key('line', priority .. ':' .. group)
  for _ = 1, max_jobs + LOOK do
    local id = redis.call('ZRANGE', line, 0, 0)[1]
    if not id then return true end
    if #claims >= max_jobs then return false end
    local job = fetch(id)
    if not job then
      redis.call('ZREM', line, id)
      arrange(priority, group)
    elseif overdue(job) then
      close_late(job)
    elseif capped(job.tenant) then
      leave_spot(job)
      stand(job, 'parked')
    elseif not fits(job) then
      return false
    else
      take(job)
      if job.losses ~= '0' then return false end
    end
  end
  return false
end

local function others_wait()
  for _, priority in ipairs(CLASSES) do
    local waiting = redis.call('ZCARD', key('groups', priority))
    if redis.call('ZSCORE', key('groups', priority), group) then waiting = waiting - 1 end
    if waiting > 0 then return true end
  end
  return false
end

local function take_from_line()
  if group ~= '' and not (ARGV[10] == '1' and others_wait()) then
    if fill('interactive') and not (joining and urgent_elsewhere()) then fill('batch') end
  end
end

if group ~= '' then
  take_from_line()
else
  -- a line may hold nothing to take: then its jobs were parked or ended by the look, and the next is looked at
  for _ = 1, GROUPS do
    group = pick()
    take_from_line()
    if group == '' or #claims > 0 then break end
  end
end

-- In the same step in which a worker finds nothing and leaves, it is known to sleep: admit rings again from then on.
if #claims == 0 and not joining then
  redis.call('ZREM', key('awake'), worker)
else
  redis.call('ZADD', key('awake'), now, worker)
  redis.call('PEXPIRE', key('awake'), FORGOTTEN)
end
if #claims > 0 then
  redis.call('ZADD', key('resident', group), now, worker)
  redis.call('PEXPIRE', key('resident', group), LEASE)
  redis.call('ZADD', key('turns'), now, group)
  redis.call('ZREMRANGEBYSCORE', key('turns'), '-inf', now - FORGOTTEN)
  redis.call('PEXPIRE', key('turns'), FORGOTTEN)
  count('claimed', #claims)
  count('claims')
end
return { group, unpack(claims) }
