local held = redis.call('HMGET', KEYS[1], 'version', 'save')
if held[2] == ARGV[3] then
    return 1  -- the same call again, as its answer was lost
end
if (tonumber(held[1]) or 0) ~= ARGV[1] - 1 then
    return 0
end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'battle', ARGV[2], 'save', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
for i, belongs in ipairs({ARGV[6], ARGV[7], ARGV[8]}) do
    if belongs == '1' then
        redis.call('ZADD', KEYS[i + 1], now, ARGV[5])
    else
        redis.call('ZREM', KEYS[i + 1], ARGV[5])
    end
end
return 1
