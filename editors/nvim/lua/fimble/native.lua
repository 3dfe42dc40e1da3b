--- Neovim 0.12 and later draw inline completions themselves; this hands suggestions to `vim.lsp.inline_completion`.
--- It asks, draws and accepts; taking a part of a suggestion is added here.
local server = require('fimble.server')

local M = {}

---@return table?
local function api()
  return vim.lsp.inline_completion
end

--- Whether this Neovim can.
---@return boolean
function M.is_available()
  return api() ~= nil
end

---@param on boolean
---@param client_id integer
function M.enable(on, client_id)
  api().enable(on, { client_id = client_id })
end

--- Whether a suggestion is there is known only by taking it: true where one was, and it is being taken.
---@return boolean
function M.take()
  return api().get() == true
end

--- Where the item's range begins; Neovim's own ranges have had two shapes.
---@return integer? row, integer? col
local function start_of(item)
  local range = item.range
  if not range then
    return
  end
  if range.start then
    return range.start.row, range.start.col
  end
  return range.start_row, range.start_col
end

--- Take the piece of the suggestion that `cut` makes of what is still to come.
---@param cut fun(coming: string): string
---@return boolean
function M.take_part(cut)
  return api().get({
    on_accept = function(item)
      local row, col = unpack(vim.api.nvim_win_get_cursor(0))
      row = row - 1
      local start_row, start_col = start_of(item)
      local typed = ''
      if start_row == row and start_col <= col then
        typed = vim.api.nvim_buf_get_text(0, row, start_col, row, col, {})[1]
      end
      if type(item.insert_text) ~= 'string' or not vim.startswith(item.insert_text, typed) then
        return
      end
      local piece = cut(item.insert_text:sub(#typed + 1))
      local lines = vim.split(piece, '\n', { plain = true })
      vim.api.nvim_buf_set_text(0, row, col, row, col, lines)
      vim.api.nvim_win_set_cursor(0, { row + #lines, (#lines == 1 and col or 0) + #lines[#lines] })
      local client = server.client(0)
      if client and item.command then
        local n_units = vim.str_utfindex(item.insert_text, 'utf-16', #typed + #piece, false)
        client:notify('textDocument/didPartiallyAcceptCompletion', {
          item = { insertText = item.insert_text, command = item.command },
          acceptedLength = n_units,
        })
      end
    end,
  }) == true
end

--- Neovim asks by itself only; what the plugin asked for and drew beside it, nothing would take off the screen.
function M.trigger()
  vim.notify(
    "fimble: Neovim draws the suggestions and cannot be asked for them by key; renderer = 'own' in setup can",
    vim.log.levels.WARN
  )
end

---@param step integer
function M.cycle(step)
  api().select({ count = step })
end

return M
