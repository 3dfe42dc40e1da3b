--- fimble: inline completions from a model on your own machine. `require('fimble').setup{}`; see :help fimble.
local config = require('fimble.config')
local ghost = require('fimble.ghost')
local keymaps = require('fimble.keymaps')
local native = require('fimble.native')
local server = require('fimble.server')
local status = require('fimble.status')
local suggest = require('fimble.suggest')

local M = {}

local group = vim.api.nvim_create_augroup('fimble', { clear = true })

---@type table<integer, integer> client by buffer
local clients = {}

---@return boolean
local function is_native()
  local renderer = config.options.renderer
  return renderer ~= 'own' and native.is_available()
end

--- Leave a buffer as it was before us.
---@param bufnr integer
local function leave(bufnr)
  clients[bufnr] = nil
  suggest.forget(bufnr)
  keymaps.unset(bufnr)
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
end

--- Follow a buffer that the server looks after.
---@param bufnr integer
local function follow(bufnr)
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  local function on(events, callback)
    vim.api.nvim_create_autocmd(events, { group = group, buffer = bufnr, callback = callback })
  end
  on({ 'CursorMoved', 'CursorMovedI', 'BufEnter', 'InsertEnter' }, function()
    suggest.cursor_rests(bufnr)
  end)
  on('BufUnload', function()
    leave(bufnr)
  end)
  if is_native() then
    return
  end
  on('TextChangedI', function()
    suggest.text_changed(bufnr)
  end)
  on('CursorMovedI', function()
    suggest.cursor_moved(bufnr)
  end)
  on('InsertEnter', function()
    suggest.ask_soon(bufnr)
  end)
  -- With a menu open, the keys are the menu's.
  on({ 'InsertLeave', 'BufLeave', 'TextChangedP' }, function()
    suggest.clear(bufnr)
  end)
  on('CompleteDone', function()
    suggest.ask_soon(bufnr)
  end)
end

---@param bufnr integer
---@param client_id integer
local function attached(bufnr, client_id)
  if clients[bufnr] == client_id then
    return -- Neovim may tell twice of a buffer that two events wanted attached
  end
  clients[bufnr] = client_id
  keymaps.set(bufnr, is_native())
  follow(bufnr)
  if is_native() then
    native.enable(true, client_id)
  elseif vim.api.nvim_get_current_buf() == bufnr and vim.api.nvim_get_mode().mode:sub(1, 1) == 'i' then
    suggest.ask_soon(bufnr)
  end
  if vim.api.nvim_get_current_buf() == bufnr then
    suggest.cursor_rests(bufnr)
  end
end

--- What the server is started with, and which buffers it is given.
local STARTED_WITH = { 'cmd', 'cmd_env', 'settings', 'root_markers', 'filetypes', 'exclude_filetypes' }

--- Start. Calling it again changes the options; the server is started anew for those that are its own.
---@param opts? fimble.Options
function M.setup(opts)
  if vim.fn.has('nvim-0.11') == 0 then
    vim.notify('fimble needs Neovim 0.11 or later', vim.log.levels.ERROR)
    return
  end
  local before, followed = config.options, vim.deepcopy(clients)
  for bufnr, client_id in pairs(followed) do
    if is_native() then
      native.enable(false, client_id)
    end
    leave(bufnr)
  end
  config.setup(opts)
  ghost.define_highlight()
  vim.api.nvim_clear_autocmds({ group = group })
  local function on(events, callback)
    vim.api.nvim_create_autocmd(events, { group = group, callback = callback })
  end
  on('ColorScheme', ghost.define_highlight)
  on({ 'FileType', 'BufWinEnter' }, function(event)
    if not server.client(event.buf) then
      server.attach(event.buf)
    end
  end)
  -- A buffer that `:w` names is wiped out and new, for Neovim: what was bound to it is gone.
  on('BufWipeout', function(event)
    local client = server.client(event.buf)
    if client then
      vim.lsp.buf_detach_client(event.buf, client.id)
    end
  end)
  -- Named, perhaps into another folder. Where the name brings a filetype, FileType comes next.
  on({ 'BufNew', 'BufFilePost' }, function(event)
    if vim.bo[event.buf].filetype ~= '' then
      server.attach(event.buf)
    end
  end)
  on('LspAttach', function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == server.name then
      attached(event.buf, client.id)
    end
  end)
  on('LspDetach', function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == server.name then
      leave(event.buf)
    end
  end)
  if vim.v.vim_did_enter == 0 then
    return
  end
  for _, name in ipairs(STARTED_WITH) do
    if not vim.deep_equal(before[name], config.options[name]) then
      server.restart()
      return
    end
  end
  for bufnr, client_id in pairs(followed) do
    attached(bufnr, client_id)
  end
  server.attach_all()
end

--- Take the suggestion; false when none is shown. For mappings of your own, outside of expr mappings.
---@return boolean
function M.accept()
  if is_native() then
    return native.take()
  end
  local is_shown = M.is_shown()
  suggest.take('all')
  return is_shown
end

---@return boolean
function M.accept_word()
  if is_native() then
    return native.take_part(suggest.first_word)
  end
  local is_shown = M.is_shown()
  suggest.take('word')
  return is_shown
end

---@return boolean
function M.accept_line()
  if is_native() then
    return native.take_part(suggest.first_line)
  end
  local is_shown = M.is_shown()
  suggest.take('line')
  return is_shown
end

--- Whether the plugin's own ghost text is on the screen.
---@return boolean
function M.is_shown()
  return suggest.is_shown(vim.api.nvim_get_current_buf())
end

M.dismiss = suggest.dismiss
M.restart = server.restart
--- A component for a statusline.
M.statusline = status.component

function M.trigger()
  if is_native() then
    native.trigger()
  else
    suggest.trigger()
  end
end

function M.next()
  if is_native() then
    native.cycle(1)
  else
    suggest.cycle(1)
  end
end

function M.previous()
  if is_native() then
    native.cycle(-1)
  else
    suggest.cycle(-1)
  end
end

--- Turn completions on or off until the server ends: everywhere, for the buffer's language, or for its file.
---@param on boolean
---@param scope? 'global'|'language'|'file'
function M.enable(on, scope)
  scope = scope or 'global'
  local bufnr = vim.api.nvim_get_current_buf()
  local argument = { scope = scope, uri = vim.uri_from_bufnr(bufnr) }
  server.command(on and 'fimble.enable' or 'fimble.disable', argument, function(message)
    if message then
      vim.notify('fimble: ' .. message, vim.log.levels.ERROR)
    elseif not on then
      suggest.clear(bufnr)
    end
  end)
end

return M
