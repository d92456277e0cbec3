local elsewhere = {}
for i = 3, #ARGV, 2 do
    if tonumber(ARGV[i + 1]) > 0 then
        redis.call('HSET', ARGV[i], ARGV[1], ARGV[i + 1] .. ' ' .. now + ARGV[2])
        redis.call('PEXPIRE', ARGV[i], ARGV[2])
    else
        redis.call('HDEL', ARGV[i], ARGV[1])
    end
    local said, count = redis.call('HGETALL', ARGV[i]), 0
    for j = 1, #said, 2 do
        local viewers, until_ = said[j + 1]:match('(%d+) (%d+)')
        if said[j] ~= ARGV[1] and tonumber(until_) > now then
            count = count + viewers
        end
    end
    table.insert(elsewhere, count)
end
return elsewhere
