#!lua
-- Enter a job. No allow-oom: a full Redis takes no new work.
-- KEYS  1 prefix
-- ARGV  1 id  2 group  3 model  4 decision id or ''  5 rows  6 interactive or batch  7 deadline from now in ms or ''
--       8 spec, JSON  9 inputs, safetensors or a pointer  10 bytes of the inputs  11 tenant  12 method  13 effort: evaluations
--       14 content key, or '' when nothing is the same  15 '1' to work on it though another asked the same
--       16 name of the idempotency key, or ''  17 fingerprint of what was asked under it  18 canceled after so many ms, or ''
--       19 most jobs of the tenant that have not ended  20 most bytes stored for it  21 most microseconds of compute it may spend in a
--       day, what its jobs are estimated to take counted; each 0: any  22 the batch whose lines it answers, or ''
-- Gives a verdict and what belongs to it:
--   'queued', whom to ring or ''    'attached', id of the job it follows    'answered', id of the job that answered it
--   'full', what ('jobs', 'bytes' or 'age'), seconds until there may be room    'banned'
--   'over', which quota ('jobs', 'bytes' or 'compute'), seconds until it may be asked again
--   'repeated', id of the job that was admitted under this key    'reused': this key was for something else

local id, group, tenant, priority, content = ARGV[1], ARGV[2], ARGV[11], ARGV[6], ARGV[14]
local START_PACE = 1000 -- microseconds per evaluation of what nobody has timed yet
local MOST_FOLLOWERS = 500 -- one end ends them all in one step, and Redis serves nobody else meanwhile

-- Said again because the answer was lost on its way: the bell may be lost too.
if redis.call('EXISTS', key('job', id)) == 1 then return { 'queued', call(group) or '' } end

-- The same request again has its first job, whatever has changed meanwhile. There is no moment in which a key is taken and its job
-- is not there: whoever asks at the same time gets that job.
local once = ARGV[16] ~= '' and key('once', ARGV[16])
if once then
  local said = redis.call('HMGET', once, 'job', 'fingerprint')
  if said[1] then return said[2] == ARGV[17] and { 'repeated', said[1] } or { 'reused' } end
end
if banned(group) then return { 'banned' } end

local function per_second()
  local bucket, names = math.floor(now / 10000), {}
  for i = 0, 5 do names[i + 1] = key('ended', bucket - i) end
  local total = 0
  for _, ended in ipairs(redis.call('MGET', unpack(names))) do total = total + (ended or 0) end
  return total / 60
end

local function full(what, too_many)
  count('refused')
  local rate = per_second()
  return { 'full', what, rate > 0 and math.min(math.max(math.ceil(too_many / rate), 1), 300) or 30 }
end

-- An earlier job that asks the same: the one that is at work on it, or that has answered it.
local function twin()
  if content == '' or ARGV[15] == '1' then return nil end
  local other = redis.call('GET', key('same', content))
  local job = other and fetch(other)
  if not job then return nil end
  if job.state == 'succeeded' then
    return redis.call('EXISTS', key('result', job.result_of or job.id)) == 1 and job or nil
  end
  local open = job.state == 'queued' or job.state == 'running'
  return open and redis.call('ZCARD', key('followers', job.id)) < MOST_FOLLOWERS and job or nil
end

local other = twin()
local answered = other and other.state == 'succeeded'

local function used(kind) return tonumber(redis.call('HGET', key(kind), tenant) or 0) end

local function over(quota, seconds)
  count('over_quota')
  return { 'over', quota, seconds }
end

if not answered then
  local jobs, bytes, us = tonumber(ARGV[19]), tonumber(ARGV[20]), tonumber(ARGV[21])
  if jobs > 0 and used('open_of') >= jobs then return over('jobs', 2) end
  if not other then
    if bytes > 0 and used('stored_of') + ARGV[10] > bytes then return over('bytes', 60) end
    if us > 0 and spent_by(tenant) + used('open_us') >= us then
      return over('compute', math.ceil((86400000 - now % 86400000) / 1000))
    end
  end
end
if not answered then
  local waiting = redis.call('ZCARD', key('state', 'queued'))
  if waiting >= MAX_WAITING then return full('jobs', waiting - MAX_WAITING + 1) end
  if not other then
    local bytes = tonumber(redis.call('HGET', key('sums'), 'input_bytes') or 0)
    if bytes + ARGV[10] > MAX_BYTES and bytes > 0 then return full('bytes', waiting / 10) end
    local oldest = redis.call('ZRANGE', key('state', 'queued'), 0, 0)[1]
    local since = oldest and redis.call('HGET', key('job', oldest), 'created')
    if since and now - since > MAX_AGE then return full('age', waiting) end
  end
end

if once then
  redis.call('HSET', once, 'job', id, 'fingerprint', ARGV[17])
  redis.call('PEXPIRE', once, IDEMPOTENCY_TTL)
end
local order, place = redis.call('INCR', key('sequence')), redis.call('INCR', key('sequence', tenant))
local pace = redis.call('HGET', key('pace'), pace_of(tenant, group, ARGV[12])) or START_PACE
local cost = other and 0 or math.max(1, math.ceil(pace * ARGV[13]))
local job = { id = id, state = 'queued', group = group, model = ARGV[3], tenant = tenant, priority = priority, order = order, place = place,
  cost = cost, created = now, size = other and 0 or ARGV[10], fence = 0, losses = '0', attempts = '0',
  content = content ~= '' and content, batch = ARGV[22] ~= '' and ARGV[22], tag = other and 0 or promise(tenant, priority, cost) }
redis.call('HSET', key('job', id), 'spec', ARGV[8], 'state', 'queued', 'group', group, 'model', ARGV[3], 'rows', ARGV[5],
  'order', order, 'place', place, 'tag', job.tag, 'cost', cost, 'effort', ARGV[13], 'method', ARGV[12], 'tenant', tenant, 'priority', priority,
  'size', job.size, 'created', now, 'fence', 0, 'attempts', 0, 'losses', 0, 'failures', 0, 'revision', 1)
if content ~= '' then redis.call('HSET', key('job', id), 'content', content) end
redis.call('ZADD', key('jobs'), order, id)
redis.call('ZADD', key('jobs', tenant), place, id)
redis.call('ZADD', key('state', 'queued'), order, id)
redis.call('ZADD', key('state', mine(job, 'queued')), place, id)
redis.call('ZADD', key('model', mine(job, job.model)), place, id)
if job.batch then redis.call('HSET', key('job', id), 'batch', job.batch) end
if ARGV[4] ~= '' then
  redis.call('HSET', key('job', id), 'decision', ARGV[4])
  redis.call('ZADD', key('decision', mine(job, ARGV[4])), place, id)
end
if ARGV[7] ~= '' then
  job.deadline = now + ARGV[7]
  redis.call('HSET', key('job', id), 'deadline', job.deadline)
end
if ARGV[18] ~= '' then
  job.cancel_at = now + ARGV[18]
  redis.call('HSET', key('job', id), 'cancel_at', job.cancel_at)
end
if job.deadline or job.cancel_at then redis.call('ZADD', key('deadlines'), last_moment(job), id) end
enter_queue(job)
open_account(job)
count('admitted')

if other then
  redis.call('HSET', key('job', id), 'dedupe_of', other.id)
  job.spot, job.follows = 'follows', other.id
  redis.call('HSET', key('job', id), 'spot', 'follows', 'follows', other.id)
end
if answered then
  local owner = other.result_of or other.id
  share_result(owner, id)
  close_one(job, 'succeeded', 'result_of', owner)
  redis.call('PEXPIRE', key('same', content), RECORD_TTL)
  count('answered_at_once')
  return { 'answered', other.id }
end
if other then
  redis.call('ZADD', key('followers', other.id), order, id)
  if priority == 'interactive' then hurry(other) end
  tell(job, 'queued', 1)
  count('attached')
  return { 'attached', other.id }
end

redis.call('SET', key('inputs', id), ARGV[9])
hold_payload(ARGV[9], 'inputs:' .. id, '+inf')
add('sums', 'input_bytes', job.size)
if content ~= '' then redis.call('SET', key('same', content), id, 'PX', RECORD_TTL) end
stand(job, 'line')
tell(job, 'queued', 1)
return { 'queued', call(group) or '' }
