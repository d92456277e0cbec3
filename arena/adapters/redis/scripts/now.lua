-- Stands before every script: `now` in milliseconds by the clock of Redis, as replicas' clocks may
-- differ.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
