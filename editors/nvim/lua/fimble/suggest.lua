--- The suggestion of each buffer: asked for, shown, typed into, taken whole or in part, turned away.
local config = require('fimble.config')
local ghost = require('fimble.ghost')
local server = require('fimble.server')

local M = {}

local INVOKED, AUTOMATIC = 1, 2

---@class fimble.Shown
---@field items table[] the server's items
---@field index integer which of them
---@field row integer 0-based, where the item's range begins
---@field col integer
---@field n_rest integer bytes of the line behind the item's range
---@field client_id integer
---@field was_invoked boolean
---@field drawn? { tick: integer, row: integer, col: integer } the text's changedtick and the cursor when it was drawn last

---@class fimble.State
---@field shown? fimble.Shown
---@field timer? uv.uv_timer_t waits before asking
---@field rest_timer? uv.uv_timer_t waits before reading ahead
---@field cancel? fun() ends the running request
---@field rested_row? integer

---@type table<integer, fimble.State>
local states = {}

---@param bufnr integer
---@return fimble.State
local function state_of(bufnr)
  states[bufnr] = states[bufnr] or {}
  return states[bufnr]
end

---@param timer? uv.uv_timer_t
local function stop(timer)
  if timer and not timer:is_closing() then
    timer:stop()
    timer:close()
  end
end

local function is_inserting()
  return vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

---@return integer row, integer col 0-based, bytes
local function cursor()
  local at = vim.api.nvim_win_get_cursor(0)
  return at[1] - 1, at[2]
end

---@param bufnr integer
---@param row integer
---@return string
local function line_of(bufnr, row)
  return vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
end

---@param client vim.lsp.Client
---@param bufnr integer
---@param position lsp.Position
---@return integer
local function byte_col(client, bufnr, position)
  return vim.str_byteindex(line_of(bufnr, position.line), client.offset_encoding, position.character, false)
end

--- How much of the item is in the text already, and what is still to come.
---@param bufnr integer
---@param shown fimble.Shown
---@return string? typed, string? coming nil where the text went another way
local function progress(bufnr, shown)
  local row, col = cursor()
  if row < shown.row or (row == shown.row and col < shown.col) or row >= vim.api.nvim_buf_line_count(bufnr) then
    return
  end
  if shown.col > #line_of(bufnr, shown.row) or #line_of(bufnr, row) - col < shown.n_rest then
    return
  end
  local typed = table.concat(vim.api.nvim_buf_get_text(bufnr, shown.row, shown.col, row, col, {}), '\n')
  local text = shown.items[shown.index].insertText
  if not vim.startswith(text, typed) then
    return
  end
  return typed, text:sub(#typed + 1)
end

---@param bufnr integer
---@param shown fimble.Shown
---@return string tail replaced text behind the cursor, string rest
local function behind(bufnr, shown)
  local row, col = cursor()
  local line = line_of(bufnr, row)
  return line:sub(col + 1, #line - shown.n_rest), line:sub(#line - shown.n_rest + 1)
end

---@param shown fimble.Shown
---@param method string
---@param more? table
local function tell(shown, method, more)
  local client = vim.lsp.get_client_by_id(shown.client_id)
  if client then
    local item = shown.items[shown.index]
    client:notify(method, vim.tbl_extend('force', { item = item }, more or {}))
  end
end

---@param bufnr integer
local function draw(bufnr)
  local shown = states[bufnr] and states[bufnr].shown
  if not shown then
    return false
  end
  local _, coming = progress(bufnr, shown)
  local tail, rest = behind(bufnr, shown)
  if not coming or coming == '' or coming == tail then
    return false
  end
  local row, col = cursor()
  ghost.draw(bufnr, { row = row, col = col, text = coming, tail = tail, rest = rest })
  shown.drawn = { tick = vim.api.nvim_buf_get_changedtick(bufnr), row = row, col = col }
  return true
end

--- Take the suggestion off the screen, and end what runs.
---@param bufnr integer
function M.clear(bufnr)
  local state = states[bufnr]
  if not state then
    return
  end
  stop(state.timer)
  state.timer = nil
  if state.cancel then
    state.cancel()
    state.cancel = nil
  end
  state.shown = nil
  ghost.clear(bufnr)
end

---@param bufnr integer
function M.forget(bufnr)
  M.clear(bufnr)
  if states[bufnr] then
    stop(states[bufnr].rest_timer)
    states[bufnr] = nil
  end
end

---@param bufnr integer
---@return boolean
function M.is_shown(bufnr)
  return states[bufnr] ~= nil and states[bufnr].shown ~= nil
end

---@param bufnr integer
---@param client vim.lsp.Client
---@param items table[]
---@param kind integer
local function show(bufnr, client, items, kind)
  local usable = vim.tbl_filter(function(item)
    return type(item.insertText) == 'string' and item.insertText ~= ''
  end, items)
  if #usable == 0 then
    return
  end
  local row, col = cursor()
  local first = usable[1]
  local start_col, end_col = col, col
  if first.range then
    start_col, end_col = byte_col(client, bufnr, first.range.start), byte_col(client, bufnr, first.range['end'])
  end
  local state = state_of(bufnr)
  state.shown = {
    items = usable,
    index = 1,
    row = row,
    col = start_col,
    n_rest = #line_of(bufnr, row) - end_col,
    client_id = client.id,
    was_invoked = kind == INVOKED,
  }
  if draw(bufnr) then
    tell(state.shown, 'textDocument/didShowCompletion')
  else
    state.shown = nil
  end
end

-- What an answer took lately, smoothed; weighs the newest one so much.
local answer_ms, WEIGHT_OF_NEWEST = 0, 0.3

--- How long to wait for another key: where answers are slow, asking at once costs nobody an answer seen earlier.
---@return integer
local function wait_ms()
  return math.max(0, math.floor(config.options.debounce_ms - answer_ms))
end

--- Ask the server now.
---@param bufnr integer
---@param kind integer
---@param done? fun() after an answer was shown
local function ask(bufnr, kind, done)
  local client = server.client(bufnr)
  if not client or not client:supports_method(server.METHOD) or not is_inserting() then
    return
  end
  M.clear(bufnr)
  local state = state_of(bufnr)
  local tick = vim.api.nvim_buf_get_changedtick(bufnr)
  local row, col = cursor()
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = kind }
  local is_over, began_ns = false, vim.uv.hrtime()
  local sent, id = client:request(server.METHOD, params, function(err, result)
    if is_over then
      return
    end
    state.cancel = nil
    if kind == AUTOMATIC and not err then
      local took_ms = math.min((vim.uv.hrtime() - began_ns) / 1e6, config.options.debounce_ms)
      answer_ms = answer_ms + WEIGHT_OF_NEWEST * (took_ms - answer_ms)
    end
    if err or type(result) ~= 'table' or not is_inserting() or vim.api.nvim_get_current_buf() ~= bufnr then
      return
    end
    -- An answer for another text, or another place, is none.
    local now_row, now_col = cursor()
    if tick ~= vim.api.nvim_buf_get_changedtick(bufnr) or now_row ~= row or now_col ~= col then
      return
    end
    show(bufnr, client, result.items or result, kind)
    if done and state.shown then
      done()
    end
  end, bufnr)
  if sent then
    state.cancel = function()
      is_over = true
      client:cancel_request(id)
    end
  end
end

--- Ask when the keys have been still for a moment.
---@param bufnr integer
function M.ask_soon(bufnr)
  if not config.options.auto_trigger or vim.b[bufnr].fimble == false then
    return
  end
  M.clear(bufnr)
  local timer = assert(vim.uv.new_timer())
  state_of(bufnr).timer = timer
  timer:start(
    wait_ms(),
    0,
    vim.schedule_wrap(function()
      stop(timer)
      if vim.api.nvim_get_current_buf() == bufnr and vim.fn.pumvisible() == 0 then
        ask(bufnr, AUTOMATIC)
      end
    end)
  )
end

--- Ask now, by the user's wish, for several.
function M.trigger()
  local bufnr = vim.api.nvim_get_current_buf()
  if not server.client(bufnr) then
    vim.notify('fimble: the server does not serve this buffer; see :checkhealth fimble', vim.log.levels.ERROR)
  elseif not is_inserting() then
    vim.notify('fimble: suggestions are asked for and shown in insert mode only', vim.log.levels.WARN)
  else
    ask(bufnr, INVOKED)
  end
end

--- The text changed while inserting: typed into the suggestion, or past it.
---@param bufnr integer
function M.text_changed(bufnr)
  if draw(bufnr) then
    return
  end
  -- Where nothing is shown, a request by key may be on its way, for this very text.
  if M.is_shown(bufnr) then
    M.clear(bufnr)
  end
  M.ask_soon(bufnr)
end

--- The cursor moved while inserting, perhaps by an edit that `text_changed` hears of next.
---@param bufnr integer
function M.cursor_moved(bufnr)
  local shown = states[bufnr] and states[bufnr].shown
  if not shown then
    return
  end
  local row, col = cursor()
  local drawn = shown.drawn
  -- Moved by itself: behind the cursor there may be text of the suggestion now, which a part taken would double.
  local is_move = drawn.tick == vim.api.nvim_buf_get_changedtick(bufnr) and (drawn.row ~= row or drawn.col ~= col)
  if is_move or not progress(bufnr, shown) then
    M.clear(bufnr)
  end
end

--- The cursor rests on another line than before: let the model read ahead there.
---@param bufnr integer
function M.cursor_rests(bufnr)
  local state = state_of(bufnr)
  stop(state.rest_timer)
  local timer = assert(vim.uv.new_timer())
  state.rest_timer = timer
  timer:start(
    config.options.rest_ms,
    0,
    vim.schedule_wrap(function()
      stop(timer)
      local client = server.client(bufnr)
      if not client or vim.api.nvim_get_current_buf() ~= bufnr then
        return
      end
      local row = cursor()
      if state.rested_row ~= row then
        state.rested_row = row
        client:notify('fimble/didMoveCursor', vim.lsp.util.make_position_params(0, client.offset_encoding))
      end
    end)
  )
end

--- The first word of a text, with the white space and the line ends before it.
---@param text string
---@return string
function M.first_word(text)
  return text:match('^%s*[%w_\128-\255]+') or text:match('^%s*[^%w%s_\128-\255]+') or text
end

--- The first line of a text; where it begins with a line end, the line after that.
---@param text string
---@return string
function M.first_line(text)
  return text:match('^\n*[^\n]+') or text
end

---@param bufnr integer
---@param text string in place of what is between the cursor and `n_replaced` bytes behind it
---@param n_replaced integer
local function insert(bufnr, text, n_replaced)
  local row, col = cursor()
  local lines = vim.split(text, '\n', { plain = true })
  vim.api.nvim_buf_set_text(bufnr, row, col, row, col + n_replaced, lines)
  vim.api.nvim_win_set_cursor(0, { row + #lines, (#lines == 1 and col or 0) + #lines[#lines] })
end

--- Take the suggestion, or its first piece. Called from a mapping, so the text may be changed.
---@param part 'all'|'word'|'line'
function M.take(part)
  local bufnr = vim.api.nvim_get_current_buf()
  local state = states[bufnr]
  local shown = state and state.shown
  if not shown then
    return
  end
  local typed, coming = progress(bufnr, shown)
  if not typed or not coming then
    M.clear(bufnr)
    return
  end
  local tail = behind(bufnr, shown)
  local piece = part == 'word' and M.first_word(coming) or part == 'line' and M.first_line(coming) or coming
  local left = coming:sub(#piece + 1)
  if left == '' or left == tail then
    insert(bufnr, coming, #tail)
    M.clear(bufnr)
    local client = vim.lsp.get_client_by_id(shown.client_id)
    local command = shown.items[shown.index].command
    if client and command then
      client:exec_cmd(command, { bufnr = bufnr })
    end
    M.ask_soon(bufnr)
    return
  end
  insert(bufnr, piece, 0)
  draw(bufnr)
  local text = shown.items[shown.index].insertText
  local n_units = vim.str_utfindex(text, 'utf-16', #typed + #piece, false)
  tell(shown, 'textDocument/didPartiallyAcceptCompletion', { acceptedLength = n_units })
end

--- Turn the suggestion away.
function M.dismiss()
  local bufnr = vim.api.nvim_get_current_buf()
  local state = states[bufnr]
  if state and state.shown then
    tell(state.shown, 'fimble/didDismiss')
    M.clear(bufnr)
  end
end

--- Show another candidate; ask for several where there is one only.
---@param step integer
function M.cycle(step)
  local bufnr = vim.api.nvim_get_current_buf()
  local shown = state_of(bufnr).shown
  if not shown then
    return
  end
  if #shown.items == 1 then
    if not shown.was_invoked then
      ask(bufnr, INVOKED, function()
        if #states[bufnr].shown.items > 1 then
          M.cycle(step)
        end
      end)
    end
    return
  end
  local before = shown.index
  for _ = 2, #shown.items do
    shown.index = (shown.index - 1 + step) % #shown.items + 1
    -- One that does not begin with what was typed or taken since has nothing to show.
    if draw(bufnr) then
      tell(shown, 'textDocument/didShowCompletion')
      return
    end
  end
  shown.index = before
end

return M
