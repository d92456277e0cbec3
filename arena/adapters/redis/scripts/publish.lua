local last = redis.call('HGET', KEYS[2], ARGV[2]) or '0 0'
local turn, number = last:match('(%d+) (%d+)')
if turn == ARGV[3] then
    return tonumber(number)  -- the same call again, as its answer was lost
end
if turn ~= ARGV[4] then
    return 0
end
local owner = redis.call('GET', KEYS[3])
if ARGV[6] ~= '' and owner and owner ~= ARGV[6] then
    return -1
end
number = redis.call('XLEN', KEYS[1]) + 1
redis.call('XADD', KEYS[1], '0-' .. number, 'event', ARGV[1])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3] .. ' ' .. number)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('PUBLISH', KEYS[1], number .. ' ' .. ARGV[1])
return number
