/**
 * The script by which machines tell each other, through Redis, of limits that were set at run time. They are one hash:
 *
 * | field | |
 * |---|---|
 * | a subject's text | version, `+` (set) or `-` (removed), content |
 * | `version` | the newest version that was given |
 * | `mark` | a word that is another after each change, also after Redis has lost data: what has the same mark is the same |
 *
 * A version is Redis' clock in milliseconds, but always more than every one before, also than those that a Redis knew
 * that has lost its data: machines say which they know.
 *
 * KEYS: the hash. ARGV: the mark that the machine knows, the mark for a change, the newest version that the machine knows,
 * how long removals are kept in milliseconds, then for each subject it tells of: subject, version (empty: a change, it
 * gets one), `+` or `-`, content. Returns the mark; where it is another than the machine knows, also all subjects and
 * their values.
 */
export const OVERRIDE_SCRIPT = String.raw`
local key = KEYS[1]
local known, mark, floor, keep = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local newest = math.max(tonumber(redis.call('HGET', key, 'version')) or 0, floor)
local hasChanged = false

local function versionOf(value) return tonumber(string.match(value, '^(%d+) ')) or 0 end

for i = 5, #ARGV, 4 do
  local subject, version, sign, content = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3]
  local there = redis.call('HGET', key, subject)
  if not version then
    newest = math.max(now, newest + 1)
    version = newest
  elseif (there and versionOf(there) >= version) or (sign == '-' and version < now - keep) then
    version = nil
  end
  if version then
    newest = math.max(newest, version)
    redis.call('HSET', key, subject, string.format('%.0f', version) .. ' ' .. sign .. ' ' .. content)
    hasChanged = true
  end
end

if hasChanged then
  redis.call('HSET', key, 'version', string.format('%.0f', newest), 'mark', mark)
else
  mark = redis.call('HGET', key, 'mark') or ''
  if mark == known then return { mark } end
end

local flat, result = redis.call('HGETALL', key), { mark }
for i = 1, #flat, 2 do
  local field, value = flat[i], flat[i + 1]
  local isRemoval = string.match(value, '^%d+ %- ')
  if isRemoval and versionOf(value) < now - keep then
    if hasChanged then redis.call('HDEL', key, field) end
  elseif field ~= 'version' and field ~= 'mark' then
    result[#result + 1] = field
    result[#result + 1] = value
  end
end
return result
`;
