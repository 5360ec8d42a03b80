#!lua flags=allow-oom
-- Count a tenant's request and say where it stands. GCRA (ITU-T I.371): a bucket of as many requests as a minute may have, filled
-- evenly; what is kept is the time at which it would be full again.
-- KEYS  1 prefix
-- ARGV  1 tenant  2 requests a minute, where the tenant has no number of its own; 0: any  3 API key that was used, or ''
-- Gives 1, or 0 when it is one too many; microseconds until one more request than are left may come; requests left; jobs that have not
-- ended; bytes stored; microseconds of compute spent today; the same as estimated for the open jobs; milliseconds until the day
-- ends; then the tenant's own models, requests, jobs, bytes, compute_s, each false where it has none.

local tenant, MINUTE, DAY = ARGV[1], 60000000, 86400000
local own = redis.call('HMGET', key('tenant', tenant), 'models', 'requests', 'jobs', 'bytes', 'compute_s')
local most = tonumber(own[2] or ARGV[2])
local allowed, left, soon = 1, 0, 0

if most > 0 then
  local micros, each, name = clock[1] * 1000000 + clock[2], MINUTE / most, key('arrivals', tenant)
  local full_at = math.max(tonumber(redis.call('GET', name) or 0), micros)
  if full_at + each - micros > MINUTE + 0.5 then
    allowed = 0
  else
    full_at = full_at + each
    redis.call('SET', name, string.format('%.0f', full_at), 'PX', math.ceil((full_at - micros) / 1000) + 1)
  end
  local room = MINUTE - (full_at - micros)
  left = math.max(math.floor(room / each + 1e-6), 0)
  soon = math.max((left + 1) * each - room, 0)
end

if ARGV[3] ~= '' then
  local said = redis.call('HMGET', key('apikey', ARGV[3]), 'digest', 'used')
  if said[1] and now - (said[2] or 0) > 60000 then redis.call('HSET', key('apikey', ARGV[3]), 'used', now) end
end

local function figure(kind) return tonumber(redis.call('HGET', key(kind), tenant) or 0) end
return { allowed, soon, left, figure('open_of'), figure('stored_of'), spent_by(tenant), figure('open_us'), DAY - now % DAY, unpack(own, 1, 5) }
