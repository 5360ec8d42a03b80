#!lua flags=allow-oom
-- End a batch, show its files, and have its tenant's webhooks told.
-- KEYS  1 prefix
-- ARGV  1 batch  2 fence  3 status  4 milliseconds that batch and files are kept  5 errors, JSON, or ''
--       6.. its files, each: 'output' or 'error', file, name
-- Gives 1, or 0, and nothing written, when the fence is not the newest.

local batch, keep = ARGV[1], tonumber(ARGV[4])
local name = key('batch', batch)
if redis.call('HGET', name, 'fence') ~= ARGV[2] then return 0 end
local tenant = redis.call('HGET', name, 'tenant')
for i = 6, #ARGV, 3 do
  local file, bytes = ARGV[i + 1], 0
  local parts = redis.call('LRANGE', key('parts', file), 0, -1)
  for _, part in ipairs(parts) do bytes = bytes + tonumber(string.match(part, '%d+$')) end
  if #parts > 0 then
    redis.call('HSET', key('file', file), 'tenant', tenant, 'name', ARGV[i + 2], 'purpose', 'batch_output', 'format', 'jsonl',
      'bytes', bytes, 'created', now, 'expires', now + keep)
    redis.call('ZADD', key('files', tenant), now, file)
    redis.call('ZADD', key('files_due'), now + keep, file)
    redis.call('HSET', name, ARGV[i], file)
  end
end
redis.call('HSET', name, 'status', ARGV[3], ARGV[3] .. '_ms', now)
if ARGV[5] ~= '' then redis.call('HSET', name, 'errors', ARGV[5]) end
redis.call('SREM', key('readers', redis.call('HGET', name, 'input')), batch)
redis.call('ZREM', key('open_batches'), batch)
redis.call('DEL', key('chunks', batch))
redis.call('PEXPIRE', name, keep)
if redis.call('EXISTS', key('hooks', tenant)) == 1 then
  redis.call('XADD', key('outbox'), 'MAXLEN', '~', OUTBOX, '*', 'tenant', tenant, 'job', batch, 'family', 'batch.', 'state', ARGV[3],
    'revision', 0, 'at', now)
end
return 1
