"""The one script that writes to the ledger: a slice of calls, applied whole and once."""

from __future__ import annotations

from hashlib import sha1
from typing import Final

from costconsole.ledger.rollup import FOLDED, MAX_VALUES, OTHER, VALUES

STREAM_LENGTH: Final = 100_000
"""About this many calls stay in the stream."""
LATE_LENGTH: Final = 5_000
"""Buckets whose last change is remembered: more than all minutes that are kept."""
HITS_LENGTH: Final = 1_000_000
"""Entries whose hits are remembered; past it the least recently used are forgotten."""
MARKER_MS: Final = 90 * 86_400_000
"""How long the server remembers the last batch of a writer that is gone."""

# KEYS  1 marker of the writer  2 calls  3 late  4 hits  5 last_hit  6... buckets
# ARGV  1 the batch's number within its writer  2 its content, JSON:
#       {"m": [[minute key, end of its life, hour key, ..., day key, ..., groups], ...] with groups
#             [[dimension, value, metric, n, metric, n, ...], ...],
#        "b": [bucket member of the late zset, in the order of KEYS 6...],
#        "k", "g", "c": the stream's entries (batch.py),  "h": [[entry key, hits, last hit], ...]}
#       where keys are indices of KEYS. Numbers to store travel as strings, for a Lua number is a double.
#
# Applied once: batches of a writer come in order, so its last number tells whether this one came before.
# Applied whole: the first write is one that a full server refuses, rights are asked for beforehand (Redis 7
# on), and a key of a wrong type loses its own increments only; the reply says how many and why.
LUA: Final = f"""
local marker, calls, late, hits, last_hit = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local last = redis.call('GET', marker)
if last and tonumber(last) >= tonumber(ARGV[1]) then return {{0, 0, ''}} end
local may = redis.acl_check_cmd
if may then
  local function need(allowed, command)
    if not allowed then return command end
  end
  local denied = need(may('SET', marker, '1', 'PX', '1'), 'SET')
    or need(may('XADD', calls, '*', 'a', 'b'), 'XADD')
    or need(may('XTRIM', calls, 'MAXLEN', '~', '1'), 'XTRIM')
    or need(may('ZINCRBY', late, '1', '#'), 'ZINCRBY') or need(may('ZADD', late, '1', '#'), 'ZADD')
    or need(may('ZINCRBY', hits, '1', 'a'), 'ZINCRBY') or need(may('ZADD', last_hit, 'GT', '1', 'a'), 'ZADD')
  if KEYS[6] and not denied then
    denied = need(may('HINCRBY', KEYS[6], 'a', '1'), 'HINCRBY') or need(may('HGET', KEYS[6], 'a'), 'HGET')
      or need(may('HEXISTS', KEYS[6], 'a'), 'HEXISTS') or need(may('PEXPIREAT', KEYS[6], '1'), 'PEXPIREAT')
  end
  if denied then return redis.error_reply("NOPERM No permissions to run the '" .. denied .. "' command") end
end
local batch = cjson.decode(ARGV[2])
redis.call('SET', marker, ARGV[1], 'PX', '{MARKER_MS}')
local pcall, refused, why = redis.pcall, 0, ''
local function note(reply)
  if type(reply) == 'table' and reply.err then
    refused = refused + 1
    why = reply.err
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000
for _, m in ipairs(batch.m) do
  local day = KEYS[m[5]]
  local groups = m[7]
  if m[6] <= now then groups = {{}} end -- older than anything that is kept
  for _, group in ipairs(groups) do
    local dimension, value = group[1], group[2]
    if dimension == 'model' or dimension == 'route' or dimension == 'tag' then
      if pcall('HEXISTS', day, 'calls|' .. dimension .. '|' .. value) == 0 then
        local counter = '{VALUES}|' .. dimension .. '|'
        local known = pcall('HGET', day, counter)
        if type(known) == 'string' and tonumber(known) >= {MAX_VALUES} then
          value = '{OTHER}'
          group[#group + 1] = '{FOLDED}'
          group[#group + 1] = '1'
        elseif value ~= '{OTHER}' then
          note(pcall('HINCRBY', day, counter, '1'))
        end
      end
    end
    local ending = '|' .. dimension .. '|' .. value
    for i = 3, #group, 2 do
      local field, n = group[i] .. ending, group[i + 1]
      for k = 1, 5, 2 do
        if m[k + 1] > now then
          local reply = pcall('HINCRBY', KEYS[m[k]], field, n)
          if type(reply) == 'table' then note(reply) end
        end
      end
    end
  end
  for k = 1, 5, 2 do
    if m[k + 1] > now then note(pcall('PEXPIREAT', KEYS[m[k]], string.format('%.0f', m[k + 1]))) end
  end
end
if #batch.b > 0 then
  local revision = pcall('ZINCRBY', late, '1', '#')
  note(revision)
  if type(revision) == 'string' then
    redis.call('ZADD', late, 'NX', string.format('%.0f', time[1] * 1000000 + time[2]), '@')
    for _, member in ipairs(batch.b) do redis.call('ZADD', late, revision, member) end
    if redis.call('ZCARD', late) > {LATE_LENGTH} then
      redis.call('ZREMRANGEBYRANK', late, 0, -{LATE_LENGTH + 1})
    end
  end
end
for _, call in ipairs(batch.c) do
  local shape = batch.k[call[1]]
  local fields, own = shape[1], shape[4]
  for k = 2, 3 do
    if shape[k].now ~= call[k] then
      local places, values = shape[k], batch.g[call[k]]
      for i = 1, #values do fields[places[i]] = values[i] end
      places.now = call[k]
    end
  end
  for i = 1, #own do fields[own[i]] = call[i + 3] end
  local reply = pcall('XADD', calls, '*', unpack(fields))
  if type(reply) == 'table' then note(reply) end
end
note(pcall('XTRIM', calls, 'MAXLEN', '~', '{STREAM_LENGTH}'))
for _, hit in ipairs(batch.h) do
  note(pcall('ZINCRBY', hits, hit[2], hit[1]))
  note(pcall('ZADD', last_hit, 'GT', hit[3], hit[1]))
end
if #batch.h > 0 and pcall('ZCARD', last_hit) > {HITS_LENGTH} then
  local forgotten = redis.call('ZRANGE', last_hit, 0, 999)
  redis.call('ZREM', last_hit, unpack(forgotten))
  redis.call('ZREM', hits, unpack(forgotten))
end
return {{1, refused, why}}
"""
SHA: Final = sha1(LUA.encode(), usedforsecurity=False).hexdigest()
