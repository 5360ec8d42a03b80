#!lua
-- Note a file that was uploaded, and count its bytes as its tenant's.
-- KEYS  1 prefix
-- ARGV  1 file  2 tenant  3 name  4 purpose  5 format  6 bytes  7 milliseconds that it is kept  8 most bytes stored for the tenant, 0: any
-- Gives 1, or 0, and nothing noted, when the tenant would have stored more than it may.

local file, tenant, bytes = ARGV[1], ARGV[2], tonumber(ARGV[6])
if not room_for(file, tenant, bytes, tonumber(ARGV[8])) then return 0 end
hold_bytes(file, tenant, bytes)
redis.call('DEL', key('upload', file))
redis.call('HSET', key('file', file), 'tenant', tenant, 'name', ARGV[3], 'purpose', ARGV[4], 'format', ARGV[5], 'bytes', bytes,
  'created', now, 'expires', now + ARGV[7])
redis.call('ZADD', key('files', tenant), now, file)
redis.call('ZADD', key('files_due'), now + ARGV[7], file)
return 1
