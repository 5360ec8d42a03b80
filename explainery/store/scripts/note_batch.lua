#!lua flags=allow-oom
-- Note how far a batch is, and keep it a while longer. What was written for it counts as its tenant's bytes from now on.
-- KEYS  1 prefix
-- ARGV  1 batch  2 fence  3 lease, milliseconds  4 chunk that is done, or ''  5 chunk that is planned, or ''  6 its plan
--       7 lines answered and 8 lines failed in addition
--       9 file and 10 part to add to it ('name bytes'), or ''  11, 12 another
--       13.. fields and values of the batch
-- Gives the batch's status, or false, and nothing written, when the fence is not the newest.

local batch = ARGV[1]
local name = key('batch', batch)
if redis.call('HGET', name, 'fence') ~= ARGV[2] then return false end
redis.call('ZADD', key('open_batches'), 'XX', now + ARGV[3], batch)
if ARGV[4] ~= '' then
  if redis.call('HGET', name, 'head') ~= ARGV[4] then return redis.call('HGET', name, 'status') end -- said twice
  redis.call('HSET', name, 'head', ARGV[4] + 1)
  redis.call('HDEL', key('chunks', batch), ARGV[4])
end
if ARGV[5] ~= '' then redis.call('HSET', key('chunks', batch), ARGV[5], ARGV[6]) end
if ARGV[7] ~= '0' then redis.call('HINCRBY', name, 'completed', ARGV[7]) end
if ARGV[8] ~= '0' then redis.call('HINCRBY', name, 'failed', ARGV[8]) end
for i = 9, 11, 2 do
  if ARGV[i] ~= '' then
    local before = tonumber(redis.call('HGET', key('stored'), ARGV[i]) or 0)
    redis.call('RPUSH', key('parts', ARGV[i]), ARGV[i + 1])
    hold_bytes(ARGV[i], redis.call('HGET', name, 'tenant'), before + tonumber(string.match(ARGV[i + 1], '%d+$')))
  end
end
for i = 13, #ARGV, 2 do
  -- a batch that was told to stop meanwhile goes on to do so
  if not (ARGV[i] == 'status' and redis.call('HGET', name, 'status') == 'cancelling') then
    redis.call('HSET', name, ARGV[i], ARGV[i + 1])
  end
end
return redis.call('HGET', name, 'status')
