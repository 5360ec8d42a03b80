#!lua flags=allow-oom
-- End a claimed job with a result or an error, or give it another try, if the claim is still its worker's.
-- KEYS  1 prefix
-- ARGV  1 id  2 worker  3 fence  4 succeeded, failed or expired, or queued: try again later, failed when it was tried enough
--       5 error, JSON, or ''  6 result, safetensors or a pointer, or ''
--       7 done  8 total  9 unit (of the progress; '' leaves it as it is)  10 microseconds of compute, or ''
--       11 least milliseconds until another try, or nothing
--       12 most jobs in a batch with it  13 most points in a chunk with it  14 milliseconds that the worker's last call took: or
--       nothing  15 bytes of the result
-- Gives 1 when it is written (now, or already by the same call whose answer was lost), 0 when the claim is stale.

local job = fetch(ARGV[1])
if not job or job.worker ~= ARGV[2] or job.fence ~= ARGV[3] then
  count('stale_writes')
  return 0
end
if job.state == ARGV[4] then return 1 end
if job.state ~= 'running' then return 0 end

local record, to = key('job', job.id), ARGV[4]
if ARGV[9] ~= '' then
  redis.call('HSET', record, 'done', ARGV[7], 'total', ARGV[8], 'unit', ARGV[9])
end

-- What an evaluation costs, learned slowly: a third of the way to what was measured.
local function learn(compute_us)
  local said = redis.call('HMGET', record, 'effort', 'method')
  local field = pace_of(job.tenant, job.group, said[2])
  local measured, known = compute_us / math.max(1, said[1]), redis.call('HGET', key('pace'), field)
  redis.call('HSET', key('pace'), field, known and known + (measured - known) / 3 or measured)
  redis.call('PEXPIRE', key('pace'), RECORD_TTL)
  observe('compute', compute_us / 1000)
end

if to == 'succeeded' then
  redis.call('SET', key('result', job.id), ARGV[6], 'PX', RESULT_TTL)
  hold_payload(ARGV[6], 'result:' .. job.id, now + RECORD_TTL)
  redis.call('HDEL', key('deaths'), job.group)
  if ARGV[10] ~= '' then
    learn(tonumber(ARGV[10]))
    charge(job.tenant, tonumber(ARGV[10]))
    job.charged = true
  end
  if ARGV[12] then
    observe('batch', tonumber(ARGV[12]))
    observe('chunk', tonumber(ARGV[13]))
    observe('store', tonumber(ARGV[14]))
  end
  close(job, 'succeeded')
  if job.place then
    hold_bytes(job.id, job.tenant, tonumber(ARGV[15] or #ARGV[6]) + (KEEP_INPUTS and tonumber(job.size) or 0))
  end
elseif to == 'queued' then
  local failures = redis.call('HINCRBY', record, 'failures', 1)
  if failures > MAX_RETRIES then
    close(job, 'failed', 'error', ARGV[5])
  else
    count('retried')
    requeue(job, math.max(backoff(job, failures), tonumber(ARGV[11] or 0)))
  end
else
  close(job, to, 'error', ARGV[5])
end
return 1
