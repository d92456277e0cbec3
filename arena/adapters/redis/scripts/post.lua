for i = 1, #ARGV, 2 do
    redis.call('HSET', KEYS[1], ARGV[i], now .. ' ' .. ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[1], 3600000)
return 1
