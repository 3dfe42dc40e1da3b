--- Draws a suggestion as ghost text. Knows what to draw and where; not where it came from.
local M = {}

local ns = vim.api.nvim_create_namespace('fimble.ghost')

M.HIGHLIGHT = 'FimbleGhost'

--- Grey in every terminal: ComplHint and NonText look like plain text in some.
function M.define_highlight()
  vim.api.nvim_set_hl(0, M.HIGHLIGHT, { default = true, fg = '#808080', ctermfg = 8, italic = true })
end

--- Tabs as spaces; virtual text does not align them. `column` is the screen column where the text begins.
---@param text string
---@param column integer
---@param tabstop integer
---@return string
local function without_tabs(text, column, tabstop)
  if not text:find('\t', 1, true) then
    return text
  end
  local parts = {}
  for piece, tab in text:gmatch('([^\t]*)(\t?)') do
    parts[#parts + 1] = piece
    column = column + vim.api.nvim_strwidth(piece)
    if tab ~= '' then
      local width = tabstop - column % tabstop
      parts[#parts + 1] = (' '):rep(width)
      column = column + width
    end
  end
  return table.concat(parts)
end

---@class fimble.Drawing
---@field row integer 0-based
---@field col integer 0-based, bytes: the cursor
---@field text string what is to come at the cursor
---@field tail string text behind the cursor that `text` ends with, or that it replaces
---@field rest string text of the line behind `tail`

--- Draw in place of whatever is drawn.
---@param bufnr integer
---@param drawing fimble.Drawing
function M.draw(bufnr, drawing)
  M.clear(bufnr)
  local tabstop = vim.bo[bufnr].tabstop
  local text, tail, rest = drawing.text, drawing.tail, drawing.rest
  local line = vim.api.nvim_buf_get_lines(bufnr, drawing.row, drawing.row + 1, false)[1] or ''
  local column = vim.fn.strdisplaywidth(line:sub(1, drawing.col))
  local lines = vim.split(text, '\n', { plain = true })
  local extmark = { virt_text_pos = 'inline', right_gravity = true, hl_mode = 'combine' }
  if #lines == 1 and vim.endswith(text, tail) then
    -- What is behind the cursor already is shown once: add(|) with '1, 2)' shows 1, 2 in between.
    lines[1] = text:sub(1, #text - #tail)
  elseif tail ~= '' or (#lines > 1 and rest ~= '') then
    -- The rest of the line moves below the ghost text; here it is covered.
    local covered = vim.fn.strdisplaywidth(tail .. rest, column)
    lines[1] = without_tabs(lines[1], column, tabstop)
    lines[1] = lines[1] .. (' '):rep(covered - vim.api.nvim_strwidth(lines[1]))
    extmark.virt_text_pos = 'overlay'
  end
  extmark.virt_text = { { without_tabs(lines[1], column, tabstop), M.HIGHLIGHT } }
  if #lines > 1 then
    extmark.virt_lines = {}
    for i = 2, #lines do
      extmark.virt_lines[i - 1] = { { without_tabs(lines[i], 0, tabstop), M.HIGHLIGHT } }
    end
    if rest ~= '' then
      table.insert(extmark.virt_lines[#lines - 1], { without_tabs(rest, 0, tabstop), 'Normal' })
    end
  elseif extmark.virt_text_pos == 'overlay' and rest ~= '' then
    table.insert(extmark.virt_text, { without_tabs(rest, 0, tabstop), 'Normal' })
  end
  vim.api.nvim_buf_set_extmark(bufnr, ns, drawing.row, drawing.col, extmark)
end

---@param bufnr integer
function M.clear(bufnr)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_clear_namespace(bufnr, ns, 0, -1)
  end
end

--- What is drawn, as text; for tests and the curious.
---@param bufnr integer
---@return string?
function M.drawn(bufnr)
  local mark = vim.api.nvim_buf_get_extmarks(bufnr, ns, 0, -1, { details = true })[1]
  if not mark then
    return nil
  end
  local lines = { mark[4].virt_text[1][1] }
  for _, chunks in ipairs(mark[4].virt_lines or {}) do
    lines[#lines + 1] = chunks[1][1]
  end
  return table.concat(lines, '\n')
end

return M
