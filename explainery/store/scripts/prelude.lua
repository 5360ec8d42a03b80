-- Shared by every step: `scripting.py` puts it behind the step's first line, after the constants it writes:
--   ALLOWED          contract.job.TRANSITIONS: ALLOWED[from][to]
--   LEASE, RESULT_TTL, RECORD_TTL, TOMBSTONE_TTL, OFFER_TTL, BATCH_AGE, MAX_AGE, IDEMPOTENCY_TTL, EVENTS_TTL    milliseconds
--   AFFINITY         microseconds of compute
--   MAX_ATTEMPTS     workers a job may lose;  MAX_RETRIES  failures of its own a job may have;  MODEL_DEATHS  workers a model may
--   MAX_WAITING, MAX_BYTES, TENANT_RUNNING    bounds; 0: none (TENANT_RUNNING)
--   WEIGHTS          tenant -> weight, 1 where there is none
--   KEEP_INPUTS      whether the inputs of a job that succeeded stay as long as its result
--   EVENTS           events of a tenant that are kept
--   BELLS            most bells for anybody that may be out at once
--   POINTER          what a value begins with that lies in the payload store
--   *_ERROR          JobError as JSON
--   clock            Redis's own: there is one for all processes; seconds and microseconds
-- KEYS[1] of every step is the prefix of all keys (keys.py); it routes the step to the slot of its hash tag.

local FORGOTTEN = 60000 -- ms after which nobody counts on a bell, or on a word of progress, any more
local PROGRESS_KEPT = 1000
local OUTBOX = 1000000 -- what happened and no courier has fetched; past it the oldest is given up, for Redis' sake

local DELIVERY_TTL = 7 * 86400000 -- ms that a delivery can be looked at after its last attempt

local function key(kind, name)
  return name and KEYS[1] .. kind .. ':' .. name or KEYS[1] .. kind
end

local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local CLASSES = { 'interactive', 'batch' }
local FIELDS = { 'state', 'group', 'model', 'decision', 'rows', 'order', 'deadline', 'worker', 'fence', 'losses', 'failures',
  'tenant', 'priority', 'cost', 'tag', 'spot', 'follows', 'content', 'result_of', 'created', 'size', 'attempts', 'quarantined', 'cancel_at', 'place', 'batch' }

-- The record as a table (missing fields are false), or nil.
local function fetch(id)
  local values = redis.call('HMGET', key('job', id), unpack(FIELDS))
  if not values[1] then return nil end
  local job = { id = id }
  for i, field in ipairs(FIELDS) do job[field] = values[i] end
  return job
end

-- When a job ends by itself: at its deadline, or when its client wants it canceled, whichever is sooner.
local function last_moment(job)
  return math.min(tonumber(job.deadline or math.huge), tonumber(job.cancel_at or math.huge))
end

local function overdue(job)
  return last_moment(job) <= now
end

-- Write fields and raise the revision, which is given.
local function write(job, ...)
  redis.call('HSET', key('job', job.id), ...)
  return redis.call('HINCRBY', key('job', job.id), 'revision', 1)
end

-- Tell that a job came into a state, or was forgotten: whoever waits for a change, and its tenant's stream, in which it is kept. Of the
-- jobs that a batch's lines are put into only those webhooks are told that asked for it: there are thousands.
local function tell(job, state, revision)
  redis.call('PUBLISH', key('changes'), job.id .. (state == 'forgotten' and '' or ' ' .. state))
  local stream = key('events', job.tenant)
  redis.call('XADD', stream, 'MAXLEN', '~', EVENTS, '*', 'job', job.id, 'state', state, 'revision', revision, 'at', now)
  redis.call('PEXPIRE', stream, EVENTS_TTL)
  if redis.call('EXISTS', key(job.batch and 'inner_hooks' or 'hooks', job.tenant)) == 1 then
    redis.call('XADD', key('outbox'), 'MAXLEN', '~', OUTBOX, '*', 'tenant', job.tenant, 'job', job.id, 'state', state,
      'revision', revision, 'at', now, 'inner', job.batch and '1' or '0')
  end
end

-- Note how far a job is, and tell those who listen just now.
local function tell_progress(job, done, total, unit)
  local revision = write(job, 'done', done, 'total', total, 'unit', unit)
  redis.call('PUBLISH', key('changes'), job.id .. ' ' .. job.state)
  local stream = key('progress', job.tenant)
  redis.call('XADD', stream, 'MAXLEN', '~', PROGRESS_KEPT, '*', 'job', job.id, 'revision', revision, 'at', now,
    'done', done, 'total', total, 'unit', unit)
  redis.call('PEXPIRE', stream, FORGOTTEN)
end

--- What is counted

local function count(what, by)
  redis.call('HINCRBY', key('counts'), what, by or 1)
end

-- A sum over all jobs of a kind, kept by the steps that change it; a sum of nothing is not kept.
local function add(sum, field, by)
  if redis.call('HINCRBY', key(sum), field, by) == 0 then redis.call('HDEL', key(sum), field) end
end

-- Histogram of milliseconds, or of sizes: bucket b counts what took, or was, at most 2^b.
local function observe(what, amount)
  local bucket = 0
  while 2 ^ bucket < amount and bucket < 24 do bucket = bucket + 1 end
  redis.call('HINCRBY', key('histogram', what), bucket, 1)
  redis.call('HINCRBY', key('histogram', what), 'sum', math.floor(amount))
end

--- What a tenant uses: jobs that have not ended and what they are estimated to take, bytes that are stored, compute it spent today

-- What a tenant's jobs of a kind take is learned from its own: else what others do would show in its figures.
local function pace_of(tenant, group, method) return tenant .. '|' .. group .. '|' .. method end

local function spent_name(tenant) return key('spent', tenant .. ':' .. math.floor(now / 86400000)) end

local function spent_by(tenant) return tonumber(redis.call('GET', spent_name(tenant)) or 0) end

local function charge(tenant, us)
  if us < 1 then return end
  redis.call('INCRBY', spent_name(tenant), math.floor(us))
  redis.call('PEXPIRE', spent_name(tenant), 2 * 86400000)
end

-- From now on so many bytes are stored for a job, or a file.
local function hold_bytes(id, tenant, bytes)
  local said = redis.call('HGET', key('stored'), id)
  local before = tonumber(said or 0)
  if bytes == before then return end
  if bytes > 0 then redis.call('HSET', key('stored'), id, bytes) else redis.call('HDEL', key('stored'), id) end
  add('stored_of', tenant, bytes - before)
end

-- Whether a tenant may store so many bytes for a job or a file, what is held for that already counted once. most: 0 is any number.
local function room_for(id, tenant, bytes, most)
  local before = tonumber(redis.call('HGET', key('stored'), id) or 0)
  return most == 0 or tonumber(redis.call('HGET', key('stored_of'), tenant) or 0) - before + bytes <= most
end

local function open_account(job)
  add('open_of', job.tenant, 1)
  add('open_us', job.tenant, job.cost)
  hold_bytes(job.id, job.tenant, tonumber(job.size))
end

-- What ran and did not succeed is charged as long as it ran, at most what it was estimated to take.
local function close_account(job)
  if not job.place then return end -- of a time before there were accounts
  add('open_of', job.tenant, -1)
  add('open_us', job.tenant, -job.cost)
  if job.state == 'running' and not job.charged then
    local started = tonumber(redis.call('HGET', key('job', job.id), 'started') or now)
    charge(job.tenant, math.min(tonumber(job.cost), (now - started) * 1000))
  end
end

--- Where a job waits: in its group's line, parked while its tenant runs as many as it may, delayed until a time, or following
--- another that asks the same

local function weight_of(tenant) return WEIGHTS[tenant] or 1 end

local function spot_of(job)
  if job.spot == 'line' then return key('line', job.priority .. ':' .. job.group) end
  if job.spot == 'parked' then return key('parked', job.tenant) end
  if job.spot == 'delayed' then return key('delayed') end
  return key('followers', job.follows)
end

-- Among the groups of its class a group stands where the head of its line does.
local function arrange(priority, group)
  local head = redis.call('ZRANGE', key('line', priority .. ':' .. group), 0, 0, 'WITHSCORES')
  if head[1] then
    redis.call('ZADD', key('groups', priority), head[2], group)
  else
    redis.call('ZREM', key('groups', priority), group)
  end
end

local function stand(job, spot, score)
  job.spot = spot
  redis.call('HSET', key('job', job.id), 'spot', spot)
  redis.call('ZADD', spot_of(job), score or job.tag, job.id)
  if spot == 'line' then arrange(job.priority, job.group) end
end

local function leave_spot(job)
  redis.call('ZREM', spot_of(job), job.id)
  if job.spot == 'line' then arrange(job.priority, job.group) end
end

--- Fairness: start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996). A job's tag is the compute time, in microseconds over
--- its tenant's weight, that the tenant had been given or promised when it came, and never less than what those who wait have.

local function virtual_time(priority)
  local head = redis.call('ZRANGE', key('groups', priority), 0, 0, 'WITHSCORES')
  return math.max(tonumber(redis.call('HGET', key('virtual'), priority) or 0), tonumber(head[2] or 0))
end

local function promise(tenant, priority, cost)
  local promised = key('promised', priority)
  local tag = math.max(virtual_time(priority), tonumber(redis.call('ZSCORE', promised, tenant) or 0))
  redis.call('ZADD', promised, tag + math.ceil(cost / weight_of(tenant)), tenant)
  return tag
end

-- A job left the line without having run: its tenant has its time back.
local function take_back(job)
  local promised = key('promised', job.priority)
  local score = redis.call('ZSCORE', promised, job.tenant)
  if score then
    local left = tonumber(score) - math.ceil(job.cost / weight_of(job.tenant))
    redis.call('ZADD', promised, math.max(left, virtual_time(job.priority)), job.tenant)
  end
end

-- Time goes on with what is taken from the lines; it never goes back.
local function advance(priority, tag)
  local head = redis.call('ZRANGE', key('groups', priority), 0, 0, 'WITHSCORES')
  local reached = tonumber(head[2] or tag)
  if reached > tonumber(redis.call('HGET', key('virtual'), priority) or 0) then
    redis.call('HSET', key('virtual'), priority, reached)
  end
end

local function running_of(tenant)
  return tonumber(redis.call('HGET', key('running_of'), tenant) or 0)
end

local function capped(tenant)
  return TENANT_RUNNING > 0 and running_of(tenant) >= TENANT_RUNNING
end

-- A tenant runs fewer than it may: as many of its parked jobs go back to their lines.
local function unpark(tenant)
  local room = TENANT_RUNNING - running_of(tenant)
  if TENANT_RUNNING == 0 then room = 100 end
  if room <= 0 then return end
  for _, id in ipairs(redis.call('ZRANGE', key('parked', tenant), 0, room - 1)) do
    local job = fetch(id)
    redis.call('ZREM', key('parked', tenant), id)
    if job then stand(job, 'line') end
  end
end

--- From state to state

local function enter_queue(job)
  add('queued', job.priority, 1)
  add('queued_us', job.priority, job.cost)
  if job.priority == 'batch' then redis.call('ZADD', key('aging'), job.created, job.id) end
end

local function leave_queue(job)
  add('queued', job.priority, -1)
  add('queued_us', job.priority, -job.cost)
  if job.priority == 'batch' then redis.call('ZREM', key('aging'), job.id) end
end

-- A batch job goes with the interactive ones: it has waited long enough, or a client waits for the same answer.
local function hurry(job)
  if job.priority == 'interactive' or job.state ~= 'queued' then
    redis.call('ZREM', key('aging'), job.id)
    return
  end
  local in_line = job.spot == 'line'
  if in_line then leave_spot(job) end
  leave_queue(job)
  job.priority = 'interactive'
  enter_queue(job)
  job.tag = promise(job.tenant, job.priority, job.cost)
  redis.call('HSET', key('job', job.id), 'priority', job.priority, 'tag', job.tag)
  if in_line then stand(job, 'line') end
end

-- A tenant's lists of its own jobs, in the order of its own admissions: they tell it nothing of anybody else's.
local function mine(job, name) return job.tenant .. ':' .. name end

-- The only way from one state to another.
local function move(job, to, ...)
  local from = job.state
  if not ALLOWED[from][to] then
    error('no transition from ' .. from .. ' to ' .. to)
  end
  redis.call('ZREM', key('state', from), job.id)
  redis.call('ZADD', key('state', to), job.order, job.id)
  redis.call('ZREM', key('state', mine(job, from)), job.id)
  redis.call('ZADD', key('state', mine(job, to)), job.place or job.order, job.id)
  if from == 'queued' then leave_queue(job) end
  if to == 'queued' then enter_queue(job) end
  if to == 'running' then add('running_of', job.tenant, 1) end
  if from == 'running' then add('running_of', job.tenant, -1) end
  job.state = to
  tell(job, to, write(job, 'state', to, ...))
  if to ~= 'running' then unpark(job.tenant) end
end

local function leave_worker(job)
  redis.call('ZREM', key('running'), job.id)
  redis.call('SREM', key('held', job.worker), job.id)
end

-- Out of its spot or out of the worker's hands, whichever it is in.
local function let_go(job)
  if job.state == 'queued' then leave_spot(job) elseif job.state == 'running' then leave_worker(job) end
  if job.deadline or job.cancel_at then redis.call('ZREM', key('deadlines'), job.id) end
end

--- Payloads: a value that lies elsewhere is known by its digest, and held by whom it belongs to until a time

local function hold_payload(value, holder, until_ms)
  if string.sub(value, 1, #POINTER) == POINTER then
    redis.call('ZADD', key('payload', string.sub(value, #POINTER + 1)), until_ms, holder)
  end
end

local function drop(kind, id)
  local name = key(kind, id)
  local start = redis.call('GETRANGE', name, 0, #POINTER + 127)
  if string.sub(start, 1, #POINTER) == POINTER then
    redis.call('ZREM', key('payload', string.sub(start, #POINTER + 1)), kind .. ':' .. id)
  end
  redis.call('DEL', name)
end

local function drop_inputs(job)
  add('sums', 'input_bytes', -job.size)
  hold_bytes(job.id, job.tenant, 0)
  drop('inputs', job.id)
end

-- The inputs of a job that succeeded stay as long as its result: pictures show them.
local function extend_inputs(owner)
  redis.call('PEXPIRE', key('inputs', owner), RESULT_TTL)
  hold_payload(redis.call('GETRANGE', key('inputs', owner), 0, #POINTER + 127), 'inputs:' .. owner, now + RECORD_TTL)
end

local function keep_inputs(job)
  add('sums', 'input_bytes', -job.size)
  extend_inputs(job.id)
end

--- Results: one may belong to several jobs that asked the same

local function share_result(owner, id)
  redis.call('SADD', key('sharers', owner), owner, id)
  redis.call('PEXPIRE', key('sharers', owner), RECORD_TTL)
  redis.call('PEXPIRE', key('result', owner), RESULT_TTL)
  hold_payload(redis.call('GETRANGE', key('result', owner), 0, #POINTER + 127), 'result:' .. owner, now + RECORD_TTL)
  extend_inputs(owner)
end

-- What was stored for a job stays, because others have its result: it counts for one of these from now on.
local function pass_on(job, owner)
  local bytes = tonumber(redis.call('HGET', key('stored'), job.id) or 0)
  local heir = redis.call('SRANDMEMBER', key('sharers', owner))
  local tenant = redis.call('HGET', key('job', heir), 'tenant')
  if bytes == 0 or not tenant then return end
  hold_bytes(job.id, job.tenant, 0)
  hold_bytes(heir, tenant, bytes + tonumber(redis.call('HGET', key('stored'), heir) or 0))
end

local function drop_result(job)
  local owner = job.result_of or job.id
  redis.call('SREM', key('sharers', owner), job.id)
  if redis.call('EXISTS', key('sharers', owner)) == 0 then
    drop('result', owner)
    drop('inputs', owner)
    redis.call('DEL', key('answers', owner), key('partial', owner))
  else
    pass_on(job, owner)
  end
end

--- The end

-- That an id existed is for its own tenant to know.
local function remember(job)
  redis.call('SET', key('gone', job.id), '@' .. job.tenant, 'PX', TOMBSTONE_TTL)
end

local function owner_of(id)
  local said = redis.call('GET', key('gone', id))
  return said and string.sub(said, 2)
end

local function end_record(job)
  redis.call('PEXPIRE', key('job', job.id), RECORD_TTL)
  redis.call('ZADD', key('ending'), now + RESULT_TTL, job.id)
  remember(job)
  local ended = key('ended', math.floor(now / 10000))
  redis.call('INCR', ended)
  redis.call('PEXPIRE', ended, 120000)
  count('ended_' .. job.state)
end

-- End one job: its record stays until it is forgotten, its id is remembered.
local function close_one(job, to, ...)
  local never_ran = job.state == 'queued' and job.spot ~= 'follows' and job.attempts == '0'
  close_account(job)
  let_go(job)
  if never_ran and to ~= 'succeeded' then take_back(job) end
  move(job, to, 'finished', now, 'forget_at', now + RESULT_TTL, ...)
  end_record(job)
end

local function same_key(job) return key('same', job.content) end

local function forget_sameness(job)
  if job.content and redis.call('GET', same_key(job)) == job.id then redis.call('DEL', same_key(job)) end
end

local function followers_of(job)
  local followers = {}
  for _, id in ipairs(redis.call('ZRANGE', key('followers', job.id), 0, -1)) do
    local follower = fetch(id)
    if follower and follower.state == 'queued' then followers[#followers + 1] = follower end
  end
  return followers
end

-- Who followed a job that will give no answer: the first takes its place, its inputs and its cost; the others follow that one.
local function inherit(job, followers)
  local heir = followers[1]
  redis.call('DEL', key('followers', job.id))
  redis.call('RENAME', key('inputs', job.id), key('inputs', heir.id))
  local value = redis.call('GETRANGE', key('inputs', heir.id), 0, #POINTER + 127)
  hold_payload(value, 'inputs:' .. heir.id, '+inf')
  if string.sub(value, 1, #POINTER) == POINTER then
    redis.call('ZREM', key('payload', string.sub(value, #POINTER + 1)), 'inputs:' .. job.id)
  end
  leave_queue(heir)
  heir.cost, heir.size = job.cost, job.size
  heir.tag = promise(heir.tenant, heir.priority, heir.cost)
  enter_queue(heir)
  if heir.place then
    add('open_us', heir.tenant, heir.cost)
    hold_bytes(job.id, job.tenant, 0)
    hold_bytes(heir.id, heir.tenant, tonumber(heir.size))
  end
  redis.call('HSET', key('job', heir.id), 'cost', heir.cost, 'size', heir.size, 'tag', heir.tag)
  redis.call('HDEL', key('job', heir.id), 'follows', 'dedupe_of')
  stand(heir, 'line')
  heir.follows = false
  if job.content then redis.call('SET', same_key(job), heir.id, 'PX', RECORD_TTL) end
  for i = 2, #followers do
    redis.call('ZADD', key('followers', heir.id), i, followers[i].id)
    redis.call('HSET', key('job', followers[i].id), 'follows', heir.id, 'dedupe_of', heir.id)
  end
end

-- End a job, and settle what becomes of those who follow it: they share its result or its failure; what ended it alone (a
-- client's wish, its own deadline) is not theirs. Gives whether a job entered a line by it.
local function close(job, to, ...)
  local followers = followers_of(job)
  local inherited = #followers > 0 and to ~= 'succeeded' and to ~= 'failed'
  close_one(job, to, ...)
  if to ~= 'succeeded' then forget_sameness(job) end
  if inherited then
    inherit(job, followers)
    return true
  end
  if job.spot ~= 'follows' and not job.quarantined then
    if to == 'succeeded' and KEEP_INPUTS then keep_inputs(job) else drop_inputs(job) end
  end
  redis.call('DEL', key('followers', job.id))
  for _, follower in ipairs(followers) do
    if to == 'succeeded' then
      share_result(job.id, follower.id)
      close_one(follower, to, 'result_of', job.id)
    else
      close_one(follower, to, ...)
    end
  end
  return false
end

-- End a job over its worker's head: the fence rises, so what the worker still writes is refused.
local function close_fenced(job, to, ...)
  return close(job, to, 'fence', job.fence + 1, ...)
end

-- End a job whose last moment is over: canceled where its client asked for that, else expired.
local function close_late(job)
  if tonumber(job.cancel_at or math.huge) <= tonumber(job.deadline or math.huge) then
    return close_fenced(job, 'canceled', 'error', CANCEL_ERROR)
  end
  return close_fenced(job, 'expired', 'error', DEADLINE_ERROR)
end

--- Back into the queue

local function requeue(job, delay)
  leave_worker(job)
  redis.call('HDEL', key('job', job.id), 'worker', 'started', 'done', 'total', 'unit')
  move(job, 'queued', 'fence', job.fence + 1)
  if delay and delay > 0 then stand(job, 'delayed', now + delay) else stand(job, 'line') end
end

-- Milliseconds that grow with the number of tries, give or take half: what failed together does not come back together.
local function backoff(job, tries)
  local jitter = 0.5 + (clock[2] + job.order * 7919) % 1000 / 1000
  return math.floor(math.min(250 * 2 ^ tries, 30000) * jitter)
end

-- Put a job aside that workers died of, with its inputs: an operator may give it another try.
local function quarantine(job)
  redis.call('HSET', key('job', job.id), 'quarantined', now)
  redis.call('ZADD', key('quarantine'), now, job.id)
  redis.call('PEXPIRE', key('inputs', job.id), RECORD_TTL)
  add('sums', 'input_bytes', -job.size)
  count('quarantined')
end

-- A worker died or went silent with this job: back to its place, later each time; put aside when that happened too often.
local function lose(job, manner)
  redis.call('HSET', key('job', job.id), 'last_exit', manner)
  job.losses = redis.call('HINCRBY', key('job', job.id), 'losses', 1)
  if job.losses < MAX_ATTEMPTS then
    requeue(job, job.losses > 1 and backoff(job, job.losses) or 0)
    return
  end
  quarantine(job)
  job.quarantined = now
  close_fenced(job, 'failed', 'error', LOST_ERROR)
end

-- A worker died with jobs of a group in hand. When that happens again and again and nothing succeeds between, it is the model.
local function note_death(group, manner)
  local deaths = redis.call('HINCRBY', key('deaths'), group, 1)
  redis.call('PEXPIRE', key('deaths'), RECORD_TTL)
  if deaths >= MODEL_DEATHS and redis.call('HEXISTS', key('banned'), group) == 0 then
    redis.call('HSET', key('banned'), group, cjson.encode({ since = now, deaths = deaths, last_exit = manner }))
    count('models_quarantined')
  end
end

local function banned(group)
  return redis.call('HEXISTS', key('banned'), group) == 1
end

-- Treat the jobs of a set; an id whose record is gone leaves it.
local function each(ids, set, remove, treat)
  for _, id in ipairs(ids) do
    local job = fetch(id)
    if job then treat(job) else redis.call(remove, set, id) end
  end
end

--- Secrets of webhooks: the newest, and for a while those before it, as 'secret|ms secret|ms', the newer first

local function older_secrets(hook)
  local found = {}
  for secret, until_ms in string.gmatch(redis.call('HGET', key('hook', hook), 'older') or '', '(%S+)|(%d+)') do
    if tonumber(until_ms) > now then found[#found + 1] = { secret = secret, until_ms = tonumber(until_ms) } end
  end
  return found
end

local function write_older_secrets(hook, older)
  local parts = {}
  for i, each in ipairs(older) do parts[i] = each.secret .. '|' .. string.format('%.0f', each.until_ms) end
  if #parts > 0 then
    redis.call('HSET', key('hook', hook), 'older', table.concat(parts, ' '))
  else
    redis.call('HDEL', key('hook', hook), 'older')
  end
end

--- Bells

local ANYBODY = 'any'
local AT_WORK = 2000 -- ms since a worker's last look; no look for longer, and it may be dead, or in a long call

-- Count one more bell as rung, for a worker or for anybody; false when enough are out.
local function ring(whom, most)
  local out = tonumber(redis.call('HGET', key('bells'), whom) or 0)
  if out >= most then return false end
  redis.call('HSET', key('bells'), whom, out + 1)
  redis.call('ZADD', key('rung'), now, whom)
  for _, kind in ipairs({ 'bells', 'rung' }) do redis.call('PEXPIRE', key(kind), FORGOTTEN) end
  return whom
end

local function lives(worker)
  local seen = redis.call('ZSCORE', key('workers'), worker)
  return seen and tonumber(seen) > now - LEASE
end

local function awake(worker)
  local look = redis.call('ZSCORE', key('awake'), worker)
  return look and tonumber(look) > now - AT_WORK
end

-- Workers that have a group's model in memory.
local function homes(group)
  local found = {}
  for _, worker in ipairs(redis.call('ZRANGEBYSCORE', key('resident', group), now - LEASE, '+inf')) do
    if lives(worker) then found[#found + 1] = worker end
  end
  return found
end

local MOST_ASKED = 64 -- where so many are awake that have the model, one will look again soon

-- Whom to ring so that somebody comes for a group: a worker that sleeps and has the model, else anybody. False when that would
-- wake nobody: those who are awake look again by themselves. (A bell that was lost: reap rings again.)
local function call(group)
  local waits = false
  for _, priority in ipairs(CLASSES) do
    waits = waits or redis.call('ZSCORE', key('groups', priority), group)
  end
  if not waits then return false end
  local somebody = false
  for _, worker in ipairs(redis.call('ZRANGEBYSCORE', key('resident', group), now - LEASE, '+inf', 'LIMIT', 0, MOST_ASKED)) do
    if lives(worker) then
      somebody = true
      if not awake(worker) and redis.call('HEXISTS', key('bells'), worker) == 0 then return ring(worker, 1) end
    end
  end
  if somebody then return false end
  local live = redis.call('ZCARD', key('workers'))
  local coming = redis.call('ZCOUNT', key('awake'), now - AT_WORK, '+inf') + (redis.call('HGET', key('bells'), ANYBODY) or 0)
  return (live == 0 or coming < live) and ring(ANYBODY, BELLS)
end

-- Remove a job of any state, and everything that names it, but its tombstone. Gives whether a job entered a line by it.
local function forget(job)
  local inherited = false
  if job.state == 'queued' or job.state == 'running' then inherited = close_fenced(job, 'canceled') end
  drop_result(job)
  if job.quarantined then
    redis.call('ZREM', key('quarantine'), job.id)
    drop('inputs', job.id)
  end
  forget_sameness(job)
  redis.call('ZREM', key('ending'), job.id)
  for _, name in ipairs({ job.tenant, false }) do redis.call('ZREM', key('jobs', name or nil), job.id) end
  for _, name in ipairs({ job.state, mine(job, job.state) }) do redis.call('ZREM', key('state', name), job.id) end
  redis.call('ZREM', key('model', mine(job, job.model)), job.id)
  if job.decision then redis.call('ZREM', key('decision', mine(job, job.decision)), job.id) end
  hold_bytes(job.id, job.tenant, 0)
  remember(job)
  tell(job, 'forgotten', redis.call('HGET', key('job', job.id), 'revision') or 0)
  redis.call('DEL', key('job', job.id))
  return inherited
end
