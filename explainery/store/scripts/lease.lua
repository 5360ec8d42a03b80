#!lua flags=allow-oom
-- Take deliveries that are due. Each is due again when its lease ends: a courier that died has delivered it or not, so it is
-- delivered once more.
-- KEYS  1 prefix
-- ARGV  1 most deliveries  2 most of one webhook  3 lease, milliseconds  4.. webhooks to leave out
-- Gives rows: webhook, delivery, url, secrets with blanks between, failures of the webhook in a row, type, job, state, revision, when (ms), attempts.

local most, each_most, lease = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local busy, rows = {}, {}
for i = 4, #ARGV do busy[ARGV[i]] = true end

-- All that sign now; those whose time is over are not kept any longer.
local function secrets_of(hook, newest)
  local older = older_secrets(hook)
  if redis.call('HEXISTS', key('hook', hook), 'older') == 1 then write_older_secrets(hook, older) end
  for _, each in ipairs(older) do newest = newest .. ' ' .. each.secret end
  return newest
end

local function take(hook)
  local posts, about = key('posts', hook), redis.call('HMGET', key('hook', hook), 'url', 'secret', 'failing')
  for _, post in ipairs(redis.call('ZRANGEBYSCORE', posts, '-inf', now, 'LIMIT', 0, math.min(each_most, most - #rows))) do
    local name = key('post', hook .. '/' .. post)
    local event = redis.call('HMGET', name, 'type', 'job', 'state', 'revision', 'at')
    if event[1] and about[1] then
      local attempts = redis.call('HINCRBY', name, 'attempts', 1)
      redis.call('ZADD', posts, now + lease, post)
      rows[#rows + 1] = { hook, post, about[1], secrets_of(hook, about[2]), about[3] or '0', event[1], event[2], event[3], event[4], event[5], attempts }
    else
      redis.call('ZREM', posts, post)
    end
  end
  local first = redis.call('ZRANGE', posts, 0, 0, 'WITHSCORES')
  if first[1] then redis.call('ZADD', key('posting'), first[2], hook) else redis.call('ZREM', key('posting'), hook) end
end

for _, hook in ipairs(redis.call('ZRANGEBYSCORE', key('posting'), '-inf', now, 'LIMIT', 0, 1000)) do
  if #rows >= most then break end
  if not busy[hook] then take(hook) end
end
return rows
