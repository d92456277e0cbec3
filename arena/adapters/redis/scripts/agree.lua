-- How replicas agree on who gets which slot, as one step. A desk says all that a replica holds and
-- wants, not what changed. So whatever was lost on the way is put right by the next one, and no lease
-- outlives the replica that holds it.
--
-- KEYS: desks, state, breakers. ARGV: replica, desk, milliseconds that a desk lasts, and that all
-- are given to come back after nobody could speak, channel.
local me, mine = ARGV[1], cjson.decode(ARGV[2])
local lasts, pause = tonumber(ARGV[3]), tonumber(ARGV[4])
local desks, changed, again = {}, {[me] = true}, 60000

local function pairs_of(key)
    local said, found = redis.call('HGETALL', key), {}
    for i = 1, #said, 2 do
        found[said[i]] = cjson.decode(said[i + 1])
    end
    return found
end

local function in_order()
    local queue = {}
    for replica, desk in pairs(desks) do
        for id, ticket in pairs(desk.waiting) do
            table.insert(queue, {id = id, replica = replica, ticket = ticket})
        end
    end
    table.sort(queue, function(a, b)
        return a.ticket[1] < b.ticket[1] or (a.ticket[1] == b.ticket[1] and a.id < b.id)
    end)
    return queue
end

local function names_of(queue)
    local names = {}
    for _, entry in ipairs(queue) do
        table.insert(names, entry.id)
    end
    return table.concat(names, ' ')
end

desks = pairs_of(KEYS[1])
local queue_before = in_order()

-- Where nobody was heard of, Redis was away: all are given time before anything is taken from them.
local state = redis.call('HMGET', KEYS[2], 'at', 'quiet_until', 'number')
local at, quiet_until = tonumber(state[1] or nil), tonumber(state[2] or 0)
-- Begun by the clock, so that also after a loss of all data no number comes twice.
local number = tonumber(state[3] or now)
if (at and now - at > lasts / 2) or (not at and mine.rejoined) then
    quiet_until = not at and now + pause or quiet_until
    for replica, desk in pairs(desks) do
        desk.expires, changed[replica] = now + lasts, true
        quiet_until = replica ~= me and now + pause or quiet_until
    end
end
for replica, desk in pairs(desks) do
    if replica ~= me and desk.expires < now then
        desks[replica], changed[replica] = nil, nil
        redis.call('HDEL', KEYS[1], replica)
    end
end

-- This replica's desk, as it says. A grant that it has not seen yet is given anew below.
local was = desks[me] or {held = {}, waiting = {}}
local own = {expires = now + lasts, held = mine.held, waiting = {}, wishes = mine.wishes}
local granted, fresh = {}, {}
desks[me] = own
for _, ticket in ipairs(mine.waiting) do
    local id = ticket[1]
    if was.waiting[id] then
        own.waiting[id] = {was.waiting[id][1], ticket[3], ticket[4]}
    elseif ticket[2] > 0 then
        own.waiting[id] = {ticket[2], ticket[3], ticket[4]}
    else
        table.insert(fresh, ticket)
    end
end

local held, on_host = {}, {}
local function hold(host, runner)
    held[host] = held[host] or {}
    held[host][runner] = (held[host][runner] or 0) + 1
    on_host[host] = (on_host[host] or 0) + 1
end
for _, desk in pairs(desks) do
    for _, spot in pairs(desk.held) do
        hold(spot[1], spot[2])
    end
    for _, ticket in pairs(desk.waiting) do
        number = math.max(number, ticket[1])
    end
end

local breakers, on_trial = pairs_of(KEYS[3]), {}
local shut = {}
for host, breaker in pairs(breakers) do
    if (breaker.open_s or 0) > 0 then
        local rest = (breaker.open_until or 0) * 1000 - now
        shut[host], on_trial[host] = rest > 0, rest <= 0
        if rest > 0 then
            again = math.min(again, rest)
        end
    end
end
if quiet_until > now then
    again = math.min(again, quiet_until - now)
end

local function serve(replica, id, ticket)
    local best
    for _, option in ipairs(desks[replica].wishes[ticket[3]] or {}) do
        local host, runner, slots, rank, speed = unpack(option)
        local free = slots - ((held[host] or {})[runner] or 0)
        local tried = on_trial[host] and (on_host[host] or 0) > 0
        if quiet_until <= now and free > 0 and not shut[host] and not tried then
            local better = not best or rank > best.rank or rank == best.rank
                and (free > best.free or free == best.free and speed > best.speed)
            if better then
                best = {host = host, runner = runner, rank = rank, free = free, speed = speed}
            end
        end
    end
    if not best then
        return false
    end
    hold(best.host, best.runner)
    desks[replica].held[id] = {best.host, best.runner, ticket[1]}
    desks[replica].waiting[id] = nil
    changed[replica] = true
    if replica == me then
        granted[id] = desks[replica].held[id]
    end
    return true
end

local served_others = false
for _, entry in ipairs(in_order()) do
    if serve(entry.replica, entry.id, entry.ticket) and entry.replica ~= me then
        served_others = true
    end
end
for _, ticket in ipairs(fresh) do
    local id = ticket[1]
    number = number + 1
    own.waiting[id] = {number, ticket[3], ticket[4]}
    serve(me, id, own.waiting[id])
end

for replica in pairs(changed) do
    redis.call('HSET', KEYS[1], replica, cjson.encode(desks[replica]))
end
redis.call('HSET', KEYS[2], 'at', now, 'quiet_until', quiet_until, 'number', number)

local queue, others_wait = in_order(), false
local told = {}
for _, entry in ipairs(queue) do
    others_wait = others_wait or entry.replica ~= me
    table.insert(told, {entry.id, entry.ticket[1], entry.ticket[2], entry.ticket[3]})
end
if served_others or (others_wait and names_of(queue) ~= names_of(queue_before)) then
    redis.call('PUBLISH', ARGV[5], me)
end
local counts = {}
for host, runners in pairs(held) do
    for runner, count in pairs(runners) do
        table.insert(counts, {host, runner, count})
    end
end
return cjson.encode({
    granted = granted, queue = told, held = counts,
    breakers = breakers, now = now, again = again,
})
