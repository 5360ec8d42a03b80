#!lua
-- Add a webhook to a tenant's.
-- KEYS  1 prefix
-- ARGV  1 webhook  2 tenant  3 most webhooks of a tenant  4 url  5 types, each between blanks  6 description  7 secret  8 '1' to be told of the jobs inside batches, too
-- Gives when it was made (ms), or 0 when the tenant has as many as it may.

if redis.call('ZCARD', key('hooks', ARGV[2])) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', key('hook', ARGV[1]), 'tenant', ARGV[2], 'url', ARGV[4], 'types', ARGV[5], 'description', ARGV[6],
  'secret', ARGV[7], 'created', now)
redis.call('ZADD', key('hooks', ARGV[2]), now, ARGV[1])
if ARGV[8] == '1' then
  redis.call('HSET', key('hook', ARGV[1]), 'inner', 1)
  redis.call('SADD', key('inner_hooks', ARGV[2]), ARGV[1])
end
return now
