--- The language server as Neovim's LSP client knows it: starting, attaching, restarting when it dies, commands.
local config = require('fimble.config')
local status = require('fimble.status')

local M = {}

M.name = 'fimble'
M.METHOD = 'textDocument/inlineCompletion'

---@type integer[] moments (ms) of the last restarts
local restarts = {}
---@type table<integer, true> clients that were told to stop
local told_to_stop = {}
---@type integer? the client that a buffer was given to last, perhaps still starting
local latest

---@param bufnr? integer
---@return vim.lsp.Client?
function M.client(bufnr)
  return vim.lsp.get_clients({ name = M.name, bufnr = bufnr })[1]
end

local function capabilities()
  local caps = vim.lsp.protocol.make_client_capabilities()
  caps.textDocument.inlineCompletion = { dynamicRegistration = false }
  return caps
end

--- One server serves all folders: a buffer of another folder adds it.
---@param client vim.lsp.Client
---@param root? string
local function add_folder(client, root)
  if not root then
    return
  end
  client.workspace_folders = client.workspace_folders or {}
  for _, folder in ipairs(client.workspace_folders) do
    if vim.uri_to_fname(folder.uri) == root then
      return
    end
  end
  local folder = { uri = vim.uri_from_fname(root), name = vim.fs.basename(root) }
  table.insert(client.workspace_folders, folder)
  client:notify('workspace/didChangeWorkspaceFolders', { event = { added = { folder }, removed = {} } })
end

--- The server went away. Clean ends are no accident; others are mended a few times.
---@param code integer
---@param signal integer
---@param client_id integer
local function on_exit(code, signal, client_id)
  if told_to_stop[client_id] or vim.v.exiting ~= vim.NIL then
    return
  end
  vim.schedule(function()
    if code == 0 and signal == 0 then
      status.set({ state = 'stopped', message = 'the server has ended' })
      return
    end
    local now = vim.uv.now()
    restarts = vim.tbl_filter(function(at)
      return now - at < 60000
    end, restarts)
    local how = signal ~= 0 and ('killed by signal %d'):format(signal) or ('exit code %d'):format(code)
    if #restarts >= config.options.restart_limit then
      status.set({
        state = 'stopped',
        message = ('the server died again and again (%s)'):format(how),
        mend = 'See :checkhealth fimble, then :Fimble restart.',
      })
      vim.notify(status.describe(), vim.log.levels.ERROR)
      return
    end
    restarts[#restarts + 1] = now
    status.set({ state = 'stopped', message = ('the server died (%s); starting it again'):format(how) })
    vim.defer_fn(M.attach_all, 100 * 4 ^ (#restarts - 1))
  end)
end

---@param bufnr integer
---@return vim.lsp.ClientConfig
local function client_config(bufnr)
  local o = config.options
  return {
    name = M.name,
    cmd = o.cmd,
    cmd_env = o.cmd_env,
    root_dir = vim.fs.root(bufnr, o.root_markers),
    capabilities = capabilities(),
    settings = { fimble = o.settings },
    init_options = { settings = o.settings },
    on_exit = on_exit,
    handlers = {
      ['fimble/status'] = function(_, params)
        status.set(params)
      end,
    },
  }
end

--- All buffers without a name have the same URI in Neovim: to the server, two of them would be one text.
---@param bufnr integer
---@return boolean
local function is_named_as_another(bufnr)
  if not latest or vim.api.nvim_buf_get_name(bufnr) ~= '' then
    return false
  end
  for _, other in ipairs(vim.api.nvim_list_bufs()) do
    if other ~= bufnr and vim.api.nvim_buf_get_name(other) == '' and vim.lsp.buf_is_attached(other, latest) then
      return true
    end
  end
  return false
end

--- Attach a buffer, starting the server when there is none. One that is attached may have another folder to add.
---@param bufnr integer
---@return integer? client_id
function M.attach(bufnr)
  if not config.wants(bufnr) or is_named_as_another(bufnr) then
    return
  end
  local wanted = client_config(bufnr)
  if type(wanted.cmd) == 'table' and vim.fn.executable(wanted.cmd[1]) == 0 then
    status.set({
      state = 'stopped',
      message = ('%s cannot be run'):format(wanted.cmd[1]),
      mend = 'Install fimble, or set `cmd` in setup to where it is.',
    })
    vim.notify_once(status.describe(), vim.log.levels.WARN)
    return
  end
  if not M.client() then
    status.set({ state = 'starting', message = 'starting the server' })
  end
  latest = vim.lsp.start(wanted, {
    bufnr = bufnr,
    reuse_client = function(client, other)
      if client.name ~= M.name or client:is_stopped() then
        return false
      end
      add_folder(client, other.root_dir)
      return true
    end,
  })
  return latest
end

--- Attach every buffer that the plugin looks after.
function M.attach_all()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    M.attach(bufnr)
  end
end

--- Stop the server and start it anew.
function M.restart()
  restarts = {}
  local client = M.client()
  if not client then
    M.attach_all()
    return
  end
  told_to_stop[client.id] = true
  client:stop()
  local n_looks = 0
  local function look()
    n_looks = n_looks + 1
    if client:is_stopped() then
      M.attach_all()
      return
    end
    if n_looks == 50 then
      client:stop(true)
    end
    vim.defer_fn(look, 20)
  end
  look()
end

--- Run one of the server's commands; `done` gets the error's message, or nil and the result.
---@param name string
---@param argument? table
---@param done? fun(message?: string, result?: table)
function M.command(name, argument, done)
  local client = M.client()
  done = done or function(message)
    if message then
      vim.notify('fimble: ' .. message, vim.log.levels.ERROR)
    end
  end
  if not client then
    done('the server is not running; see :checkhealth fimble')
    return
  end
  local params = { command = name, arguments = argument and { argument } or {} }
  client:request('workspace/executeCommand', params, function(err, result)
    if err then
      local mend = type(err.data) == 'table' and err.data.mend
      done(err.message .. (mend and mend ~= '' and ('\n' .. mend) or ''))
    else
      done(nil, result)
    end
  end)
end

return M
