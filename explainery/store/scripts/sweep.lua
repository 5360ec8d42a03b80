#!lua flags=allow-oom
-- Say which payloads nobody needs any more.
-- KEYS  1 prefix
-- ARGV  1 and all that follow: digests
-- Gives those digests that may be deleted.

local unneeded = {}
for _, digest in ipairs(ARGV) do
  redis.call('ZREMRANGEBYSCORE', key('payload', digest), '-inf', now)
  if redis.call('EXISTS', key('payload', digest)) == 0 then unneeded[#unneeded + 1] = digest end
end
return unneeded
