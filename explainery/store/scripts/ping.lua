#!lua
-- Put a test into a webhook's line.
-- KEYS  1 prefix
-- ARGV  1 webhook  2 delivery  3 event type  4 most deliveries that may wait for one webhook  5 most of one that can be looked at
-- Gives 1, or 0 when there is no such webhook, or its line is full.

local hook, post = ARGV[1], ARGV[2]
if redis.call('EXISTS', key('hook', hook)) == 0 or redis.call('ZCARD', key('posts', hook)) >= tonumber(ARGV[4]) then return 0 end
local name = key('post', hook .. '/' .. post)
redis.call('HSET', name, 'type', ARGV[3], 'job', '', 'state', '', 'revision', 0, 'at', now, 'status', 'waiting', 'attempts', 0,
  'created', now)
redis.call('PEXPIRE', name, DELIVERY_TTL)
redis.call('ZADD', key('posts', hook), now, post)
redis.call('ZADD', key('posting'), 'LT', now, hook)
redis.call('ZADD', key('posted', hook), now, post)
redis.call('ZREMRANGEBYRANK', key('posted', hook), 0, -tonumber(ARGV[5]) - 1)
redis.call('PEXPIRE', key('posted', hook), DELIVERY_TTL)
return 1
