#!lua
-- Note a file that was uploaded.
-- KEYS  1 prefix
-- ARGV  1 file  2 tenant  3 name  4 purpose  5 format  6 bytes  7 milliseconds that it is kept

local name = key('file', ARGV[1])
redis.call('HSET', name, 'tenant', ARGV[2], 'name', ARGV[3], 'purpose', ARGV[4], 'format', ARGV[5], 'bytes', ARGV[6],
  'created', now, 'expires', now + ARGV[7])
redis.call('ZADD', key('files', ARGV[2]), now, ARGV[1])
redis.call('ZADD', key('files_due'), now + ARGV[7], ARGV[1])
return 1
