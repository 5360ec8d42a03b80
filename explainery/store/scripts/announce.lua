#!lua flags=allow-oom
-- A worker says that it lives, what it offers and which models it has in memory.
-- KEYS  1 prefix
-- ARGV  1 worker  2 what it is, JSON  3 digest of its offer  4 the offer, JSON, or '' when it should be known
--       5.. groups whose model it has in memory
-- Gives 1, or 0 when the offer is not known: say it again with the offer.

local offer = key('offer', ARGV[3])
redis.call('SET', key('worker', ARGV[1]), ARGV[2], 'PX', LEASE)
redis.call('ZADD', key('workers'), now, ARGV[1])
for i = 5, #ARGV do
  redis.call('ZADD', key('resident', ARGV[i]), now, ARGV[1])
  redis.call('PEXPIRE', key('resident', ARGV[i]), LEASE)
end
if ARGV[4] ~= '' then redis.call('SET', offer, ARGV[4]) end
if redis.call('PEXPIRE', offer, OFFER_TTL) == 0 then return 0 end
-- In microseconds: of two offers that were said in one millisecond, the later one is still the last. Exact in a double.
local now_us = clock[1] * 1e6 + clock[2]
redis.call('ZADD', key('offers'), now_us, ARGV[3])
redis.call('ZREMRANGEBYSCORE', key('offers'), '-inf', now_us - OFFER_TTL * 1000)
return 1
