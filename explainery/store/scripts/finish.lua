#!lua flags=allow-oom
-- End a claimed job with a result or an error, if the claim is still its worker's.
-- KEYS  1 prefix
-- ARGV  1 id  2 worker  3 fence  4 succeeded, failed or expired  5 error, JSON, or ''  6 result, safetensors, or ''
--       7 done  8 total  9 unit (of the progress; '' leaves it as it is)
-- Gives 1 when it is written (now, or already by the same call whose answer was lost), 0 when the claim is stale.

local job = fetch(ARGV[1])
if not job or job.worker ~= ARGV[2] or job.fence ~= ARGV[3] then return 0 end
if job.state == ARGV[4] then return 1 end
if job.state ~= 'running' then return 0 end

if ARGV[9] ~= '' then
  redis.call('HSET', key('job', job.id), 'done', ARGV[7], 'total', ARGV[8], 'unit', ARGV[9])
end
if ARGV[4] == 'succeeded' then
  redis.call('SET', key('result', job.id), ARGV[6], 'PX', RESULT_TTL)
  close(job, 'succeeded')
else
  close(job, ARGV[4], 'error', ARGV[5])
end
return 1
