#!lua flags=allow-oom
-- Take a model out of quarantine: its jobs are admitted and worked on again.
-- KEYS  1 prefix
-- ARGV  1 group
-- Gives 1, or 0 when it was not in quarantine.

redis.call('HDEL', key('deaths'), ARGV[1])
return redis.call('HDEL', key('banned'), ARGV[1])
