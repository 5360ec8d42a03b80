#!lua
-- Give a webhook another secret; those before it sign, too, until their time is over.
-- KEYS  1 prefix
-- ARGV  1 webhook  2 tenant  3 new secret  4 milliseconds that the one before it signs yet, 0: not at all  5 most that sign beside the newest
-- Gives 1, or 0 when the tenant has no such webhook.

local name = key('hook', ARGV[1])
local said = redis.call('HMGET', name, 'tenant', 'secret')
if said[1] ~= ARGV[2] then return 0 end
if said[2] == ARGV[3] then return 1 end -- said twice
local keep, kept = tonumber(ARGV[4]), {}
if keep > 0 then
  kept = older_secrets(ARGV[1])
  table.insert(kept, 1, { secret = said[2], until_ms = now + keep })
  while #kept > tonumber(ARGV[5]) do table.remove(kept) end
end
redis.call('HSET', name, 'secret', ARGV[3], 'rotated', now)
write_older_secrets(ARGV[1], kept)
return 1
