#!lua flags=allow-oom
-- Take a batch whose coordinator has gone, or that has had none.
-- KEYS  1 prefix
-- ARGV  1 coordinator  2 lease, milliseconds  3.. tenants to leave out
-- Gives the batch, its fence and its tenant, or false.

local MOST_LOOKED_AT = 5000 -- of those of tenants that are left out
local left_out = {}
for i = 3, #ARGV do left_out[ARGV[i]] = true end

for _, batch in ipairs(redis.call('ZRANGEBYSCORE', key('open_batches'), '-inf', now, 'LIMIT', 0, MOST_LOOKED_AT)) do
  local tenant = redis.call('HGET', key('batch', batch), 'tenant') or ''
  if not left_out[tenant] then
    local fence = redis.call('HINCRBY', key('batch', batch), 'fence', 1)
    redis.call('HSET', key('batch', batch), 'owner', ARGV[1])
    redis.call('ZADD', key('open_batches'), now + ARGV[2], batch)
    return { batch, fence, tenant }
  end
end
return false
