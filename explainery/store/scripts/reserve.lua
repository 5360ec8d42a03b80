#!lua
-- Set bytes of a tenant's aside for a file that is being uploaded. What is set aside is given back by `shelve`, by `discard`, or when
-- its time is over.
-- KEYS  1 prefix
-- ARGV  1 file  2 tenant  3 bytes  4 most bytes stored for the tenant, 0: any  5 milliseconds that an upload may take
-- Gives 1, or 0, and nothing set aside, when the tenant would have stored more than it may.

local file, tenant, bytes, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if not room_for(file, tenant, bytes, most) then return 0 end
hold_bytes(file, tenant, bytes)
redis.call('SET', key('upload', file), tenant)
redis.call('ZADD', key('files_due'), now + ARGV[5], file)
return 1
