/**
 * The script by which one of several machines gets something to do that is to be done once. KEYS: hashes, one for each
 * thing, all in one slot. ARGV: who asks, how long it is remembered in milliseconds, then the things. Returns `1` for each
 * that is the caller's, also if it asks again because it did not hear the answer, else `0`.
 */
export const CLAIM_SCRIPT = String.raw`
local answers = {}
for i, key in ipairs(KEYS) do
  local thing = ARGV[2 + i]
  redis.call('HSETNX', key, thing, ARGV[1])
  redis.call('PEXPIRE', key, ARGV[2])
  answers[i] = redis.call('HGET', key, thing) == ARGV[1] and '1' or '0'
end
return answers
`;
