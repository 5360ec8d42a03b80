#!lua flags=allow-oom
-- A worker has loaded a model.
-- KEYS  1 prefix
-- ARGV  1 group  2 milliseconds it took
-- Gives nothing.

redis.call('HSET', key('loads'), ARGV[1], ARGV[2])
redis.call('PEXPIRE', key('loads'), RECORD_TTL)
observe('load', tonumber(ARGV[2]))
count('model_loads')
