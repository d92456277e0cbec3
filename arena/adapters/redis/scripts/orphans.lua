redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
local orphans = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])) do
    if redis.call('EXISTS', ARGV[5] .. id) == 0 then
        redis.call('ZREM', KEYS[1], id)
    elseif redis.call('SET', ARGV[3] .. id, ARGV[4], 'NX', 'PX', ARGV[2]) then
        table.insert(orphans, id)
    end
end
return orphans
