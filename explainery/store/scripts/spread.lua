#!lua flags=allow-oom
-- Make deliveries out of what happened to jobs and batches: one for each webhook of the tenant that wants to be told. A crash before or after this step
-- loses and doubles nothing: what happened leaves the outbox in the step that makes its deliveries.
-- KEYS  1 prefix
-- ARGV  1 most events  2 most deliveries that may wait for one webhook  3 most deliveries of a webhook that can be looked at
--       4 event type of a state, without the state
-- Gives how many events were treated.

local entries = redis.call('XRANGE', key('outbox'), '-', '+', 'COUNT', ARGV[1])

local function put(hook, post, event)
  local name = key('post', hook .. '/' .. post)
  if redis.call('EXISTS', name) == 1 then return end
  if redis.call('ZCARD', key('posts', hook)) >= tonumber(ARGV[2]) then
    redis.call('HINCRBY', key('hook', hook), 'dropped', 1)
    return
  end
  redis.call('HSET', name, 'type', event.type, 'job', event.job, 'state', event.state, 'revision', event.revision,
    'at', event.at, 'status', 'waiting', 'attempts', 0, 'created', now)
  redis.call('PEXPIRE', name, DELIVERY_TTL)
  redis.call('ZADD', key('posts', hook), now, post)
  redis.call('ZADD', key('posting'), 'LT', now, hook)
  redis.call('ZADD', key('posted', hook), now, post)
  redis.call('ZREMRANGEBYRANK', key('posted', hook), 0, -tonumber(ARGV[3]) - 1)
  redis.call('PEXPIRE', key('posted', hook), DELIVERY_TTL)
end

for _, entry in ipairs(entries) do
  local event = {}
  for i = 1, #entry[2], 2 do event[entry[2][i]] = entry[2][i + 1] end
  event.type = (event.family or ARGV[4]) .. event.state
  for _, hook in ipairs(redis.call('ZRANGE', key('hooks', event.tenant), 0, -1)) do
    local said = redis.call('HMGET', key('hook', hook), 'types', 'disabled', 'inner')
    local wanted = event.inner ~= '1' or said[3]
    if wanted and said[1] and not said[2] and string.find(said[1], ' ' .. event.type .. ' ', 1, true) then
      local post = 'msg_' .. event.job .. '_' .. event.revision .. (event.state == 'forgotten' and '_forgotten' or '')
      put(hook, post, event)
    end
  end
  redis.call('XDEL', key('outbox'), entry[1])
end
return #entries
