-- Shared by every step: `scripting.py` puts it behind the step's first line, after the constants it writes:
--   ALLOWED          contract.job.TRANSITIONS: ALLOWED[from][to]
--   LEASE, RESULT_TTL, RECORD_TTL, TOMBSTONE_TTL, OFFER_TTL    milliseconds
--   MAX_ATTEMPTS     workers a job may lose
--   BELLS            most bells of a group that may be out at once
--   DEADLINE_ERROR, LOST_ERROR    JobError as JSON
-- KEYS[1] of every step is the prefix of all keys (keys.py); it routes the step to the slot of its hash tag.

local function key(kind, name)
  return name and KEYS[1] .. kind .. ':' .. name or KEYS[1] .. kind
end

-- Redis's own clock: there is one for all processes.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local FIELDS = { 'state', 'group', 'model', 'decision', 'rows', 'order', 'place', 'deadline', 'worker', 'fence', 'losses' }

-- The record as a table (missing fields are false), or nil.
local function fetch(id)
  local values = redis.call('HMGET', key('job', id), unpack(FIELDS))
  if not values[1] then return nil end
  local job = { id = id }
  for i, field in ipairs(FIELDS) do job[field] = values[i] end
  return job
end

local function overdue(job)
  return job.deadline and tonumber(job.deadline) <= now
end

-- Write fields, raise the revision, tell whoever waits for a change.
local function touch(job, ...)
  local record = key('job', job.id)
  redis.call('HSET', record, ...)
  redis.call('HINCRBY', record, 'revision', 1)
  redis.call('PUBLISH', key('changes'), job.id .. ' ' .. job.state)
end

-- The only way from one state to another.
local function move(job, to, ...)
  if not ALLOWED[job.state][to] then
    error('no transition from ' .. job.state .. ' to ' .. to)
  end
  redis.call('ZREM', key('state', job.state), job.id)
  redis.call('ZADD', key('state', to), job.order, job.id)
  job.state = to
  touch(job, 'state', to, ...)
end

local function enter_line(job)
  redis.call('ZADD', key('waiting', job.group), job.place, job.id)
  redis.call('ZADD', key('groups'), 'NX', now, job.group)
end

local function leave_line(job)
  redis.call('ZREM', key('waiting', job.group), job.id)
  if redis.call('EXISTS', key('waiting', job.group)) == 0 then
    redis.call('ZREM', key('groups'), job.group)
  end
end

local function leave_worker(job)
  redis.call('ZREM', key('running'), job.id)
  redis.call('SREM', key('held', job.worker), job.id)
end

-- Out of the line or out of the worker's hands, whichever it is in.
local function let_go(job)
  if job.state == 'queued' then leave_line(job) elseif job.state == 'running' then leave_worker(job) end
  if job.deadline then redis.call('ZREM', key('deadlines'), job.id) end
end

-- End a job: its inputs go, its record stays until it is forgotten, its id is remembered.
local function close(job, to, ...)
  let_go(job)
  move(job, to, 'finished', now, 'forget_at', now + RESULT_TTL, ...)
  redis.call('DEL', key('inputs', job.id))
  redis.call('PEXPIRE', key('job', job.id), RECORD_TTL)
  redis.call('ZADD', key('ending'), now + RESULT_TTL, job.id)
  redis.call('SET', key('gone', job.id), '1', 'PX', TOMBSTONE_TTL)
end

-- End a job over its worker's head: the fence rises, so what the worker still writes is refused.
local function close_fenced(job, to, ...)
  close(job, to, 'fence', job.fence + 1, ...)
end

-- Back to its old place in line.
local function requeue(job)
  leave_worker(job)
  redis.call('HDEL', key('job', job.id), 'worker', 'started', 'done', 'total', 'unit')
  move(job, 'queued', 'fence', job.fence + 1)
  enter_line(job)
end

-- A worker died or went silent with this job: back to its place, or failed when that happened too often.
local function lose(job)
  job.losses = redis.call('HINCRBY', key('job', job.id), 'losses', 1)
  if job.losses >= MAX_ATTEMPTS then
    close_fenced(job, 'failed', 'error', LOST_ERROR)
  else
    requeue(job)
  end
end

-- Treat the jobs of a set; an id whose record is gone leaves it.
local function each(ids, set, remove, treat)
  for _, id in ipairs(ids) do
    local job = fetch(id)
    if job then treat(job) else redis.call(remove, set, id) end
  end
end

-- Whether one more bell is to be rung for a group that waits; counts it as rung.
local function ring(group)
  local out = tonumber(redis.call('HGET', key('bells'), group) or 0)
  if out >= BELLS then return false end
  redis.call('HSET', key('bells'), group, out + 1)
  redis.call('ZADD', key('groups'), 'XX', now, group)
  return true
end

-- Remove a job of any state, and everything that names it, but its tombstone.
local function forget(job)
  let_go(job)
  redis.call('DEL', key('job', job.id), key('inputs', job.id), key('result', job.id))
  redis.call('ZREM', key('ending'), job.id)
  redis.call('ZREM', key('jobs'), job.id)
  redis.call('ZREM', key('state', job.state), job.id)
  redis.call('ZREM', key('model', job.model), job.id)
  if job.decision then redis.call('ZREM', key('decision', job.decision), job.id) end
  redis.call('SET', key('gone', job.id), '1', 'PX', TOMBSTONE_TTL)
  redis.call('PUBLISH', key('changes'), job.id)
end
