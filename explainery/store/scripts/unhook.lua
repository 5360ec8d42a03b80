#!lua flags=allow-oom
-- Remove a webhook and what waits for it.
-- KEYS  1 prefix
-- ARGV  1 webhook  2 tenant
-- Gives 1, or 0 when the tenant has no such webhook.

if redis.call('ZREM', key('hooks', ARGV[2]), ARGV[1]) == 0 then return 0 end
for _, kind in ipairs({ 'posted', 'posts' }) do -- of those that wait, more may be there than can be looked at
  for _, post in ipairs(redis.call('ZRANGE', key(kind, ARGV[1]), 0, -1)) do
    redis.call('DEL', key('post', ARGV[1] .. '/' .. post))
  end
end
for _, kind in ipairs({ 'hook', 'posts', 'posted' }) do redis.call('DEL', key(kind, ARGV[1])) end
redis.call('SREM', key('inner_hooks', ARGV[2]), ARGV[1])
redis.call('ZREM', key('posting'), ARGV[1])
return 1
