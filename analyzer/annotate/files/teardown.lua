-- Fields from the comments that "teardown annotate" writes: teardown.client_state and so on, for each TCP segment.
-- What is shown comes from the file that is open, so it cannot be that of another one.

local teardown = Proto("teardown", "teardown: how the connection ends")
local fields = {
  client_state = ProtoField.string("teardown.client_state", "Client state"),
  server_state = ProtoField.string("teardown.server_state", "Server state"),
  finding = ProtoField.string("teardown.finding", "Finding"),
  severity = ProtoField.string("teardown.severity", "Severity"),
  confidence = ProtoField.string("teardown.confidence", "Confidence"),
  blamed = ProtoField.string("teardown.blamed", "Blamed endpoint"),
}
local listed = {}
for _, field in pairs(fields) do listed[#listed + 1] = field end
teardown.fields = listed

local comment_of, stream_of = Field.new("frame.comment"), Field.new("tcp.stream")
local now, shown = {}, {} -- the states of each stream so far; by frame, what was shown at the first reading

function teardown.init()
  now, shown = {}, {}
end

local function read(stream, comments)
  local states = now[stream] or {}
  local known = { findings = {} }
  for _, comment in ipairs(comments) do
    local side, state, behind = comment:match("^(%a+) enters ([A-Z_0-9]+[~?*^]?)(.*)$")
    if (side == "client" or side == "server") and behind:sub(1, 17) ~= " after this frame" then
      states[side] = state
    end
    local code, name, rest = comment:match("^(TD%d+) (%S*): (.*)$")
    if code then
      local severity, blamed, level = rest:match("^(%a+), blames the (%a+), (%a+) confidence")
      if not severity then severity, level = rest:match("^(%a+), (%a+) confidence") end
      table.insert(known.findings, { code .. " " .. name, severity, level, blamed })
    end
  end
  now[stream] = states
  known.client, known.server = states.client, states.server
  return known
end

function teardown.dissector(buffer, pinfo, tree)
  local stream = stream_of()
  if not stream then return end
  local known = shown[pinfo.number]
  if not known then
    local comments = {}
    for _, comment in ipairs({ comment_of() }) do
      comments[#comments + 1] = tostring(comment.value):match("^teardown: (.*)$") -- those of others are none of ours
    end
    known = read(tostring(stream.value), comments)
    shown[pinfo.number] = known
  end
  if not (known.client or known.server or #known.findings > 0) then return end
  local part = tree:add(teardown, buffer(0, 0))
  part:set_generated()
  if known.client then part:add(fields.client_state, known.client):set_generated() end
  if known.server then part:add(fields.server_state, known.server):set_generated() end
  for _, finding in ipairs(known.findings) do
    part:add(fields.finding, finding[1]):set_generated()
    if finding[2] then part:add(fields.severity, finding[2]):set_generated() end
    if finding[3] then part:add(fields.confidence, finding[3]):set_generated() end
    if finding[4] then part:add(fields.blamed, finding[4]):set_generated() end
  end
end

register_postdissector(teardown)
