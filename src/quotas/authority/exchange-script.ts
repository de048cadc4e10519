/**
 * The script by which machines exchange with Redis (5 and later, Valkey). Many buckets a call; each is one hash:
 *
 * | field | of | |
 * |---|---|---|
 * | `b` | all | when the hash was made: tells a Redis that lost its data |
 * | `p` | all | when somebody was last refused who would fit if leases were given back |
 * | `g` | all | leases of others that a lost Redis does not know yet: amount, when it ends |
 * | `t`, `u` | rate | used as of a time, not decayed since |
 * | `h` | total | used before the data was lost, by whom is not known yet |
 * | `f:MACHINE` | total | used by that machine's processes that are no more |
 * | `l:MACHINE/PROCESS` | all | lease, when it ends, last sequence number, the life it belongs to, counter, charged, when charged |
 *
 * Counters are cumulative and calls numbered, so a call that is repeated, lost or late counts once. Redis TIME is the
 * only clock. Times are milliseconds, amounts doubles that hold whole numbers exactly up to 2^53.
 *
 * PROCESS begins with how often its machine had been started, and a dash: what a killed process said arrives late at times,
 * after its successor has told all that the machine had used.
 *
 * KEYS: the hashes, or the sorted set of machines. ARGV: machine, process, sequence number, lease duration, then for each
 * key a line: `m` (I am alive), `x` (I leave), or mode and numbers as `encodeExchange` writes them. Returns a line a key.
 */
export const EXCHANGE_SCRIPT = String.raw`
local machine, process = ARGV[1], ARGV[2]
local sequence, ttl = tonumber(ARGV[3]), tonumber(ARGV[4])
local instance = machine .. '/' .. process
local function runOf(id) return tonumber(string.match(id, '^.*/(%d+)%-')) or 0 end
local run = runOf(instance)
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local KEEP_RECORD, FOLD_RECORD, KEEP_BUCKET, KEEP_TOTAL = 60000, 3600000, 60000, 40 * 86400000
local CONTEST = 2000

local function text(number) return string.format('%.17g', number) end

local function words(line)
  local result = {}
  for word in string.gmatch(line, '%S+') do result[#result + 1] = tonumber(word) or word end
  return result
end

local function beat(key, leaves)
  if leaves then
    redis.call('ZREM', key, instance)
  else
    redis.call('ZADD', key, now, instance)
    redis.call('PEXPIRE', key, ttl * 2)
  end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - ttl)
  redis.call('ZREMRANGEBYSCORE', key, now + ttl, '+inf')
  return text(redis.call('ZCARD', key))
end

local function load(key)
  local flat = redis.call('HGETALL', key)
  local bucket = { fields = {}, leases = {}, folded = {} }
  for i = 1, #flat, 2 do
    local field, value = flat[i], flat[i + 1]
    local kind, name = string.sub(field, 1, 2), string.sub(field, 3)
    if kind == 'l:' then
      local w = words(value)
      bucket.leases[name] = { lease = w[1], ends = w[2], sequence = w[3], life = w[4], count = w[5],
        charged = w[6], chargedAt = w[7], machine = string.match(name, '^(.*)/[^/]*$') }
    elseif kind == 'f:' then
      bucket.folded[name] = tonumber(value)
    else
      bucket.fields[field] = value
    end
  end
  return bucket
end

local function pack(l)
  return text(l.lease) .. ' ' .. text(l.ends) .. ' ' .. text(l.sequence) .. ' ' .. text(l.life) .. ' '
    .. text(l.count) .. ' ' .. text(l.charged) .. ' ' .. text(l.chargedAt)
end

-- Decay, and leases of a rate that ended: they may have been spent, so they are used from the moment they ended.
local function decay(bucket, rate, changed)
  local used, stamp = tonumber(bucket.fields.u) or 0, tonumber(bucket.fields.t) or now
  if stamp > now then
    -- Redis' clock was set back: nothing decays meanwhile, and no lease lasts longer than one granted now
    stamp = now
    for id, l in pairs(bucket.leases) do
      if l.ends > now + ttl then l.ends = now + ttl; changed[id] = true end
      if l.chargedAt > now then l.chargedAt = now; changed[id] = true end
    end
  end
  local ended = {}
  for id, l in pairs(bucket.leases) do
    if l.ends <= now and l.lease > 0 then ended[#ended + 1] = { id = id, l = l } end
  end
  table.sort(ended, function(a, b) return a.l.ends < b.l.ends end)
  for _, e in ipairs(ended) do
    local l, at = e.l, math.max(e.l.ends, stamp)
    used = math.max(0, used - rate * (at - stamp)) + l.lease
    stamp = at
    l.charged = math.max(0, l.charged - rate * (at - l.chargedAt)) + l.lease
    l.chargedAt, l.lease = at, 0
    changed[e.id] = true
  end
  return math.max(0, used - rate * (now - stamp))
end

local function charge(l, rate) return math.max(0, l.charged - rate * (now - l.chargedAt)) end

local function tidy(bucket, mode, rate, changed, gone)
  for id, l in pairs(bucket.leases) do
    local isTwin = l.machine == machine and id ~= instance
    if l.ends > now + ttl then l.ends = now + ttl; changed[id] = true end
    if mode == 'c' and l.ends <= now then
      gone[id] = true
    elseif mode == 'r' and l.lease == 0 and l.ends + KEEP_RECORD <= now and charge(l, rate) == 0 then
      gone[id] = true
    elseif mode == 't' and l.ends <= now then
      -- not heard of for so long: its process is no more, and what it spent it had told but for the last moment
      if l.lease ~= 0 then l.lease = 0; changed[id] = true end
      if isTwin and l.ends + FOLD_RECORD <= now then
        bucket.folded[machine] = (bucket.folded[machine] or 0) + l.count
        bucket.foldedChanged = true
        gone[id] = true
      end
    end
  end
  for id in pairs(gone) do bucket.leases[id] = nil; changed[id] = nil end
end

-- Sum of the machines' counters. What was known before the data was lost stays used, whoever counts it again; else
-- counters may well be lower than they were, where what was told turned out to be less. What a machine told without
-- hearing an answer counts twice if others had heard of it when the data was lost: rather that than not at all.
local function total(bucket, r, own, wasLost)
  local lost, folded = tonumber(bucket.fields.h) or 0, bucket.folded
  local before = 0
  if own and own.life == r.life then
    before = own.count
  elseif own and own.count ~= 0 then
    folded[machine] = (folded[machine] or 0) + own.count
    bucket.foldedChanged = true
  end
  lost = math.max(0, lost - math.max(0, math.min(r.count, r.acknowledged) - before))
  local used, mine = r.count, folded[machine] or 0
  for id, l in pairs(bucket.leases) do
    if id ~= instance then
      used = used + l.count
      if l.machine == machine then mine = mine + l.count end
    end
  end
  if mine < r.earlier then
    folded[machine] = (folded[machine] or 0) + r.earlier - mine
    bucket.foldedChanged = true
    lost = math.max(0, lost - (r.earlier - mine))
  end
  for _, count in pairs(folded) do used = used + count end
  if (wasLost or before < r.acknowledged) and r.known > used + lost then lost = r.known - used end
  bucket.lost = lost
  return used + lost
end

local function rated(bucket, r, own, used, spent, wasLost)
  if own and own.charged > 0 then
    used = math.max(0, used - charge(own, r.rate))
    own.charged = 0
  end
  local before = used
  used = math.max(0, used + spent)
  if own and own.life == r.life and own.count < r.acknowledged then
    used = math.min(used, math.max(before, r.capacity)) -- an older state of Redis: counted again, at most a full bucket
  end
  if wasLost then used = math.max(used, r.known) end
  return used
end

-- Leases of others that this machine knows of and a Redis that lost its data does not.
local function ghost(bucket, r, others, wasLost)
  local g = bucket.fields.g and words(bucket.fields.g)
  if g and (g[2] <= now or g[2] > now + ttl) then g[1] = 0 end
  if wasLost then
    if g then
      g[1] = math.max(0, g[1] - r.held)
    else
      g = { math.max(0, r.knownOthers - others), now + ttl }
    end
  end
  return g
end

local function grant(r, kept, free)
  local granted, isShort = kept, false
  if r.wanted > kept then
    local reach = math.floor(kept + math.max(0, math.min(r.wanted - kept, free)) + 0.000001)
    if reach >= r.need then granted = math.max(kept, reach) end
    isShort = granted < r.need
  end
  return math.max(granted, r.reserved), isShort
end

local function exchange(key, line)
  local w = words(line)
  local r = { mode = w[1], capacity = w[2], rate = w[3], life = w[4], count = w[5], acknowledged = w[6], held = w[7],
    reserved = w[8], wanted = w[9], need = w[10], birth = w[11], known = w[12], knownOthers = w[13], earlier = w[14] }
  local bucket, changed, gone, set = load(key), {}, {}, {}
  local fields = bucket.fields
  local used = 0
  if r.mode == 'r' then used = decay(bucket, r.rate, changed) end
  tidy(bucket, r.mode, r.rate, changed, gone)
  local own = bucket.leases[instance]
  local wasLost = r.birth ~= 0 and r.birth ~= tonumber(fields.b)
  if not fields.b then fields.b = text(tonumber(time[1]) * 1000000 + tonumber(time[2])); set[#set + 1] = 'b'; set[#set + 1] = fields.b end

  local others, isLate = 0, own and sequence <= own.sequence
  for id, l in pairs(bucket.leases) do
    if id ~= instance then others = others + l.lease end
    if r.mode ~= 'r' and l.machine == machine and runOf(id) > run then isLate = true end
  end
  if isLate then -- a newer call was there before, or a newer process
    return table.concat({ text(own and own.lease or 0), '0', text(others), fields.b, '0' }, ' ')
  end
  local g = ghost(bucket, r, others, wasLost)
  if g then
    others = others + g[1]
    set[#set + 1] = 'g'; set[#set + 1] = text(g[1]) .. ' ' .. text(g[2])
  end

  local spent = r.count - ((own and own.life == r.life) and own.count or r.acknowledged)
  if r.mode == 'r' then
    used = rated(bucket, r, own, used, spent, wasLost)
    set[#set + 1] = 't'; set[#set + 1] = text(now)
    set[#set + 1] = 'u'; set[#set + 1] = text(used)
  elseif r.mode == 't' then
    used = total(bucket, r, own, wasLost)
    if bucket.lost ~= (tonumber(fields.h) or 0) then set[#set + 1] = 'h'; set[#set + 1] = text(bucket.lost) end
    if bucket.foldedChanged then set[#set + 1] = 'f:' .. machine; set[#set + 1] = text(bucket.folded[machine]) end
  end

  local kept = own and math.min(r.wanted, math.max(0, own.lease - spent)) or 0
  local free = r.capacity - used - others - kept
  local granted, isShort = grant(r, kept, free)
  local pressed = tonumber(fields.p) or 0
  if isShort and r.capacity - used >= r.need then
    pressed = now
    set[#set + 1] = 'p'; set[#set + 1] = text(now)
  end

  bucket.leases[instance] = { lease = granted, ends = now + ttl, sequence = sequence, life = r.life, count = r.count,
    charged = 0, chargedAt = now }
  changed[instance] = true
  for id in pairs(changed) do
    set[#set + 1] = 'l:' .. id
    set[#set + 1] = pack(bucket.leases[id])
  end
  redis.call('HSET', key, unpack(set))
  for id in pairs(gone) do
    if id ~= instance then redis.call('HDEL', key, 'l:' .. id) end
  end
  local keep = ttl + KEEP_BUCKET
  if r.mode == 't' then keep = KEEP_TOTAL elseif r.rate > 0 then keep = keep + used / r.rate end
  redis.call('PEXPIRE', key, math.ceil(math.min(keep, KEEP_TOTAL)))
  local isContested = pressed <= now and now - pressed < CONTEST
  return table.concat({ text(granted), text(used), text(others), fields.b, isContested and '1' or '0' }, ' ')
end

local answers = {}
for i, key in ipairs(KEYS) do
  local line = ARGV[4 + i]
  if line == 'm' or line == 'x' then
    answers[i] = beat(key, line == 'x')
  else
    answers[i] = exchange(key, line)
  end
end
return answers
`;
