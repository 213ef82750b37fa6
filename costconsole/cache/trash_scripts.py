"""The two scripts of the trash: copy and remove, and bring back."""

from __future__ import annotations

from costconsole.cache.commands import Script
from costconsole.cache.fingerprint import DIGEST

REMOVE = Script(
    DIGEST
    + """
local started = os and os.clock and os.clock() or 0
local at, key_at = 0, 0
local function take() at = at + 1 return ARGV[at] end
local function takes(count)
  local words = {}
  for i = 1, count do words[i] = take() end
  return words
end
local function expiry(key)
  local found = redis.pcall('PEXPIRETIME', key)
  if type(found) == 'number' then return found > 0 and found or 0 end
  local left = redis.call('PTTL', key)
  if left < 0 then return 0 end
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000) + left
end
local kept_ms = tonumber(take())
local templates = {}
for i = 1, tonumber(take()) do
  local words = takes(tonumber(take()))
  templates[i] = {words = words, place = tonumber(take())}
end
local said = {}
for i = 1, tonumber(take()) do
  local template, fingerprint, whole, count = string.match(take(), '(%d+) (%S+) (%d+) (%d+)')
  template, whole, count = tonumber(template), tonumber(whole), tonumber(count)
  local name = KEYS[key_at + 1]
  local keys, pieces, verdict = {}, {}, 'done'
  for j = 1, whole do
    keys[j] = {key = KEYS[key_at + 1], copy = KEYS[key_at + 2]}
    key_at = key_at + 2
  end
  for j = 1, count do
    local piece = {key = KEYS[key_at + 1], copy = KEYS[key_at + 2], digest = take()}
    piece.check = takes(tonumber(take()))
    piece.remove = takes(tonumber(take()))
    piece.record = take()
    key_at = key_at + 2
    pieces[j] = piece
  end
  local same = false
  if template > 0 then
    local known = templates[template]
    if known.place > 0 then known.words[known.place] = name end
    same = digest(redis.pcall(unpack(known.words))) == fingerprint
    if not same then verdict = redis.call('EXISTS', name) == 1 and 'changed' or 'gone' end
  end
  -- A call that the client repeats after a lost connection finds its own work.
  local first = keys[1] or pieces[1]
  local before = kept_ms > 0 and not same and redis.call('EXISTS', first.copy) == 1
  if before then verdict = 'before' end
  for _, piece in ipairs(pieces) do
    if verdict == 'done' and digest(redis.pcall(unpack(piece.check))) ~= piece.digest then
      verdict = 'moved'
    end
  end
  local copied, doomed = {}, {}
  if verdict == 'done' then
    for _, one in ipairs(keys) do
      local failed
      if kept_ms == 0 then
        if redis.call('EXISTS', one.key) == 1 then doomed[#doomed + 1] = one.key end
      else
        local content = redis.pcall('DUMP', one.key)
        if type(content) == 'table' then failed = content.err
        elseif content then
          local record = string.format('K%.0f\\n', expiry(one.key)) .. content
          local set = redis.pcall('SET', one.copy, record, 'PX', kept_ms)
          failed = set.err
          if not failed then
            doomed[#doomed + 1] = one.key
            copied[#copied + 1] = one.copy
          end
        end
      end
      if failed then verdict = failed break end
    end
    for _, piece in ipairs(pieces) do
      if verdict == 'done' and kept_ms > 0 then
        local set = redis.pcall('SET', piece.copy, piece.record, 'PX', kept_ms)
        if set.err then verdict = set.err else copied[#copied + 1] = piece.copy end
      end
    end
    if verdict == 'done' and #doomed == 0 and #pieces == 0 then verdict = 'gone' end
    if verdict == 'done' and #doomed > 0 then
      local gone = redis.pcall('UNLINK', unpack(doomed))
      if type(gone) == 'table' then verdict = gone.err end
    end
    if verdict == 'done' then
      for _, piece in ipairs(pieces) do redis.pcall(unpack(piece.remove)) end
    elseif #copied > 0 then
      redis.pcall('UNLINK', unpack(copied))
    end
  end
  if before then verdict = 'done' end
  said[i] = verdict
  if verdict ~= 'done' and verdict ~= 'gone' and verdict ~= 'changed' and verdict ~= 'moved' then break end
end
said[#said + 1] = math.floor(((os and os.clock and os.clock() or 0) - started) * 1000000)
return said
"""
)
"""Copy and remove entries. Replies with one word for each: `done`, `changed`, `gone`, `moved` (a shared
piece of it changed: read it again), or the error at which it stopped; then the processor time in
microseconds."""


RESTORE = Script("""
local started = os and os.clock and os.clock() or 0
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local function words_of(record, at)
  local words = {}
  local line = string.find(record, '\\n', at, true)
  local count = tonumber(string.sub(record, at, line - 1))
  at = line + 1
  for i = 1, count do
    line = string.find(record, '\\n', at, true)
    local length = tonumber(string.sub(record, at, line - 1))
    words[i] = string.sub(record, line + 1, line + length)
    at = line + length + 1
  end
  return words, at
end
local function absent(reply)
  if type(reply) == 'number' then return reply == -1 end
  if type(reply) == 'string' then return reply == '' or reply == '[]' end
  if type(reply) ~= 'table' then return true end
  if reply.err then return true end
  for i = 1, #reply do
    if not absent(reply[i]) then return false end
  end
  return true
end
local function restore(key, copy)
  local record = redis.call('GET', copy)
  if not record then return redis.call('EXISTS', key) == 1 and 'there' or 'lost' end
  if string.sub(record, 1, 1) == 'P' then
    local check, at = words_of(record, 2)
    if absent(redis.pcall(unpack(check))) then
      local reply = redis.pcall(unpack((words_of(record, at))))
      if type(reply) == 'table' and reply.err then return reply.err end
    end
    redis.call('UNLINK', copy)
    return 'restored'
  end
  local line = string.find(record, '\\n', 1, true)
  local expiry = tonumber(string.sub(record, 2, line - 1))
  if expiry > 0 and expiry <= now then
    redis.call('UNLINK', copy)
    return 'expired'
  end
  if redis.call('EXISTS', key) == 1 then return 'exists' end
  local content = string.sub(record, line + 1)
  local reply = redis.pcall('RESTORE', key, string.format('%.0f', expiry), content, 'ABSTTL')
  if reply.err then return reply.err end
  redis.call('UNLINK', copy)
  return 'restored'
end
local said, key_at = {}, 0
for i = 1, #ARGV do
  local verdict
  for j = 1, tonumber(ARGV[i]) do
    local key, copy = KEYS[key_at + 1], KEYS[key_at + 2]
    key_at = key_at + 2
    if verdict == nil then
      verdict = restore(key, copy)
    elseif verdict == 'expired' then
      redis.call('UNLINK', copy)
    elseif verdict == 'restored' or verdict == 'there' then
      local also = restore(key, copy)
      local idle = also == 'there' or also == 'lost' or also == 'exists' or also == 'expired'
      if not idle then verdict = also end
    end
  end
  said[i] = verdict
end
said[#said + 1] = math.floor(((os and os.clock and os.clock() or 0) - started) * 1000000)
return said
""")
"""Bring entries back: ARGV the number of units of each, KEYS their keys and copies. Replies for each with
`restored`, `there` (it was back already), `exists` (stored anew: left alone), `expired`, `lost` (no copy), or
an error; then the processor time in microseconds."""
