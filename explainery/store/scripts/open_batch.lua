#!lua
-- Make a batch.
-- KEYS  1 prefix
-- ARGV  1 batch  2 tenant  3 input file  4 what was asked, JSON  5 milliseconds until it expires  6 idempotency key or ''
--       7 fingerprint of what was asked under it
-- Gives 'made', 'no file', 'reused'; or the batch that was made under the same key.

local batch, tenant, file = ARGV[1], ARGV[2], ARGV[3]
if ARGV[6] ~= '' then
  local known = redis.call('GET', key('batch_once', ARGV[6]))
  if known then
    local id, asked = string.match(known, '^(%S+) (%S+)$')
    return asked == ARGV[7] and id or 'reused'
  end
end
if redis.call('EXISTS', key('batch', batch)) == 1 then return 'made' end -- said twice
if redis.call('HGET', key('file', file), 'tenant') ~= tenant then return 'no file' end
if redis.call('HGET', key('file', file), 'purpose') ~= 'batch' then return 'no file' end
redis.call('HSET', key('batch', batch), 'tenant', tenant, 'asked', ARGV[4], 'input', file, 'status', 'validating',
  'created', now, 'expires', now + ARGV[5], 'total', 0, 'completed', 0, 'failed', 0, 'fence', 0, 'position', 0, 'line', 0,
  'next', 0, 'head', 0)
redis.call('ZADD', key('batches', tenant), now, batch)
redis.call('ZADD', key('open_batches'), 0, batch)
redis.call('SADD', key('readers', file), batch)
if ARGV[6] ~= '' then redis.call('SET', key('batch_once', ARGV[6]), batch .. ' ' .. ARGV[7], 'PX', IDEMPOTENCY_TTL) end
return 'made'
