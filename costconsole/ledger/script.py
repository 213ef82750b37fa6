"""What can't be said in single commands: which values of a dimension still find room in a day.

Both scripts may be repeated or cut off at any point without harm.
"""

from __future__ import annotations

from typing import Final

from costconsole.ledger.rollup import MAX_VALUES, VALUES

HITS_LENGTH: Final = 1_000_000
"""Entries whose hits are remembered; past it the least recently used are forgotten."""

# KEYS  the day's bucket
# ARGV  end of its life, Unix ms; then dimension and value in turns
# Gives a value its field, with nothing in it, while there is room, and answers 1 for each value that has one.
ADMIT: Final = f"""
local found = {{}}
for i = 2, #ARGV, 2 do
  local field, counter = 'calls|' .. ARGV[i] .. '|' .. ARGV[i + 1], '{VALUES}|' .. ARGV[i] .. '|'
  local known = redis.pcall('HEXISTS', KEYS[1], field)
  if known == 0 then
    if tonumber(redis.call('HGET', KEYS[1], counter) or '0') < {MAX_VALUES} then
      redis.call('HINCRBY', KEYS[1], field, '0')
      redis.call('HINCRBY', KEYS[1], counter, '1')
      redis.call('PEXPIREAT', KEYS[1], ARGV[1])
      known = 1
    end
  end
  found[#found + 1] = known == 0 and 0 or 1
end
return found
"""

# KEYS  last_hit, hits
FORGET: Final = f"""
local spare = redis.call('ZCARD', KEYS[1]) - {HITS_LENGTH}
while spare > 0 do
  local forgotten = redis.call('ZRANGE', KEYS[1], 0, math.min(spare, 1000) - 1)
  redis.call('ZREM', KEYS[1], unpack(forgotten))
  redis.call('ZREM', KEYS[2], unpack(forgotten))
  spare = spare - 1000
  if spare < {HITS_LENGTH // 100} then return end
end
"""
