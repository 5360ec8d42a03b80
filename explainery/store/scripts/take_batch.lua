#!lua flags=allow-oom
-- Take a batch whose coordinator has gone, or that has had none.
-- KEYS  1 prefix
-- ARGV  1 coordinator  2 lease, milliseconds
-- Gives the batch and its fence, or false.

local batch = redis.call('ZRANGEBYSCORE', key('open_batches'), '-inf', now, 'LIMIT', 0, 1)[1]
if not batch then return false end
local fence = redis.call('HINCRBY', key('batch', batch), 'fence', 1)
redis.call('HSET', key('batch', batch), 'owner', ARGV[1])
redis.call('ZADD', key('open_batches'), now + ARGV[2], batch)
return { batch, fence }
