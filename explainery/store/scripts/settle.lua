#!lua flags=allow-oom
-- Note what became of one attempt to deliver.
-- KEYS  1 prefix
-- ARGV  1 webhook  2 delivery  3 'delivered', 'waiting': try again, 'failed': tried often enough, or 'gone': its target wants no more
--       4 what was answered  5 milliseconds until the next try, or ''
-- Gives 1, or 0 when there is no such delivery any more.

local hook, post, outcome = ARGV[1], ARGV[2], ARGV[3]
local name, posts, about = key('post', hook .. '/' .. post), key('posts', hook), key('hook', hook)
if redis.call('EXISTS', name) == 0 or redis.call('EXISTS', about) == 0 then
  redis.call('ZREM', posts, post)
  return 0
end

local function disable(reason)
  redis.call('HSET', about, 'disabled', now, 'reason', reason)
  for _, waiting in ipairs(redis.call('ZRANGE', posts, 0, -1)) do
    redis.call('HSET', key('post', hook .. '/' .. waiting), 'status', 'failed')
    redis.call('HDEL', key('post', hook .. '/' .. waiting), 'next')
  end
  redis.call('DEL', posts)
  redis.call('ZREM', key('posting'), hook)
end

redis.call('HSET', name, 'status', outcome == 'gone' and 'failed' or outcome, 'answer', ARGV[4], 'tried', now)
redis.call('PEXPIRE', name, DELIVERY_TTL + (outcome == 'waiting' and ARGV[5] or 0)) -- a pause may be longer
if outcome == 'waiting' then
  redis.call('HSET', name, 'next', now + ARGV[5])
  redis.call('ZADD', posts, now + ARGV[5], post)
else
  redis.call('HDEL', name, 'next')
  redis.call('ZREM', posts, post)
end
local first = redis.call('ZRANGE', posts, 0, 0, 'WITHSCORES')
if first[1] then redis.call('ZADD', key('posting'), first[2], hook) else redis.call('ZREM', key('posting'), hook) end

if outcome == 'delivered' then
  redis.call('HSET', about, 'failing', 0, 'delivered', now)
else
  redis.call('HINCRBY', about, 'failing', 1)
end
if outcome == 'gone' then disable('its target answered 410 Gone') end
local since = tonumber(redis.call('HGET', about, 'delivered') or 0)
if outcome == 'failed' and since < tonumber(redis.call('HGET', name, 'created')) then
  disable('nothing could be delivered for as long as one delivery is tried')
end
return 1
