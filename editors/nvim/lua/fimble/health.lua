--- :checkhealth fimble
local config = require('fimble.config')
local native = require('fimble.native')
local server = require('fimble.server')
local status = require('fimble.status')

local M = {}

---@param command string[]
---@return string? first line of what it prints, string? error
local function first_line(command)
  local ok, done = pcall(function()
    return vim.system(command, { text = true, env = config.options.cmd_env }):wait(20000)
  end)
  if not ok then
    return nil, tostring(done)
  end
  if done.code ~= 0 then
    return nil, vim.trim(done.stderr or '') ~= '' and vim.trim(done.stderr) or ('exit code %d'):format(done.code)
  end
  return vim.split(vim.trim(done.stdout or ''), '\n')[1]
end

local function check_editor()
  vim.health.start('fimble: editor')
  if vim.fn.has('nvim-0.11') == 1 then
    vim.health.ok(('Neovim %s'):format(tostring(vim.version())))
  else
    vim.health.error('Neovim 0.11 or later is needed')
  end
  for _, problem in ipairs(config.problems_at_setup or {}) do
    vim.health.warn('setup: ' .. problem)
  end
  local is_native = config.options.renderer ~= 'own' and native.is_available()
  vim.health.info(is_native and 'Drawn by vim.lsp.inline_completion' or 'Drawn by the plugin')
  for name, lhs in pairs(config.options.keymaps) do
    if lhs then
      local map = vim.fn.maparg(lhs, 'i', false, true)
      if map.desc and not vim.startswith(map.desc, 'fimble') then
        vim.health.info(('%s (%s) falls through to: %s'):format(lhs, name, map.desc))
      end
    end
  end
end

local function check_server()
  vim.health.start('fimble: server')
  local cmd = config.options.cmd
  if type(cmd) == 'function' then
    vim.health.info('The server is reached by a function of yours')
  elseif vim.fn.executable(cmd[1]) == 0 then
    vim.health.error(('%s cannot be run'):format(cmd[1]), {
      'Install fimble where Neovim finds it, for example with `pipx install /path/to/its/repository`.',
      "Or name it: require('fimble').setup{ cmd = { '/path/to/fimble', 'serve', '--stdio' } }",
    })
    return
  else
    local version, problem = first_line({ cmd[1], '--version' })
    if version then
      vim.health.ok(('%s: %s'):format(cmd[1], version))
    else
      vim.health.error(('%s --version fails: %s'):format(cmd[1], problem))
    end
  end
  local client = server.client()
  if not client then
    vim.health.warn('The server is not running: ' .. status.current.message, {
      'It starts with the first file of a kind that the plugin looks after.',
      status.current.mend,
    })
    return
  end
  vim.health.ok(('The server runs (client %d, positions in %s)'):format(client.id, client.offset_encoding))
  local current = status.current
  local text = ('%s: %s'):format(current.state, current.message)
  if current.state == 'error' then
    vim.health.error(text, current.mend and { current.mend } or nil)
  elseif current.state == 'ready' or current.state == 'busy' then
    vim.health.ok(('Model %s is ready'):format(current.model or current.message))
  else
    vim.health.warn(text)
  end
  vim.health.info('`fimble doctor` in a terminal looks at the machine and the model.')
end

function M.check()
  check_editor()
  check_server()
end

return M
