if redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('EXISTS', KEYS[2]) == 0 then
    redis.call('DEL', KEYS[1])
end
return 1
