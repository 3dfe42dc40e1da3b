--- Options of the plugin: defaults, and what the user's may be. Knows nothing of the server's own settings.
local M = {}

---@class fimble.Keymaps
---@field accept? string|false
---@field accept_word? string|false
---@field accept_line? string|false
---@field dismiss? string|false
---@field next? string|false
---@field previous? string|false
---@field trigger? string|false

---@class fimble.Options
---@field cmd string[]|function the server's command, or what vim.lsp.rpc.connect gives
---@field cmd_env? table<string, string> more environment variables for the server
---@field settings table the server's settings, as in docs/configuration.md
---@field filetypes? string[] only these; all when nil
---@field exclude_filetypes string[] never these
---@field root_markers string[] what makes a folder the workspace
---@field debounce_ms integer stillness after a key before the server is asked, less what answers took lately
---@field rest_ms integer stillness after which the model reads ahead at the cursor
---@field auto_trigger boolean ask while typing, not only by key
---@field renderer 'auto'|'own'|'native' who draws: Neovim 0.12's inline_completion where there is one, or the plugin
---@field keymaps fimble.Keymaps
---@field restart_limit integer how often a dead server is started again within a minute
local defaults = {
  cmd = { 'fimble', 'serve', '--stdio' },
  cmd_env = nil,
  settings = {},
  filetypes = nil,
  exclude_filetypes = { 'help', 'man', 'gitrebase', 'TelescopePrompt', 'oil', 'netrw', 'qf' },
  root_markers = { '.git', '.hg', '.fimble' },
  debounce_ms = 60,
  rest_ms = 200,
  auto_trigger = true,
  renderer = 'auto',
  keymaps = {
    accept = '<Tab>',
    accept_word = '<M-w>',
    accept_line = '<M-l>',
    dismiss = '<C-]>',
    next = '<M-]>',
    previous = '<M-[>',
    trigger = '<M-\\>',
  },
  restart_limit = 3,
}

local types = {
  cmd = { 'table', 'function' },
  cmd_env = 'table',
  settings = 'table',
  filetypes = 'table',
  exclude_filetypes = 'table',
  root_markers = 'table',
  debounce_ms = 'number',
  rest_ms = 'number',
  auto_trigger = 'boolean',
  renderer = 'string',
  keymaps = 'table',
  restart_limit = 'number',
}

---@param value any
---@param wanted string|string[]
---@return boolean
local function is_a(value, wanted)
  return vim.list_contains(type(wanted) == 'table' and wanted or { wanted }, type(value))
end

---@type fimble.Options
M.options = vim.deepcopy(defaults)

--- What is wrong with the user's options, one line each.
---@param opts table
---@return string[]
function M.problems(opts)
  local found = {}
  for key, value in pairs(opts) do
    local wanted = types[key]
    if not wanted then
      found[#found + 1] = ('there is no option %q'):format(key)
    elseif not is_a(value, wanted) then
      local names = type(wanted) == 'table' and table.concat(wanted, ' or a ') or wanted
      found[#found + 1] = ('%s must be a %s, not a %s'):format(key, names, type(value))
    end
  end
  if opts.renderer and not vim.list_contains({ 'auto', 'own', 'native' }, opts.renderer) then
    found[#found + 1] = "renderer must be 'auto', 'own' or 'native'"
  end
  for name, lhs in pairs(type(opts.keymaps) == 'table' and opts.keymaps or {}) do
    if defaults.keymaps[name] == nil then
      found[#found + 1] = ('there is no keymap %q'):format(name)
    elseif lhs ~= false and type(lhs) ~= 'string' then
      found[#found + 1] = ('keymaps.%s must be a key or false'):format(name)
    end
  end
  table.sort(found)
  return found
end

--- Take the user's options; wrong ones are left out and told.
---@param opts? table
function M.setup(opts)
  opts = opts or {}
  local problems = M.problems(opts)
  if #problems > 0 then
    vim.notify('fimble: ' .. table.concat(problems, '\nfimble: '), vim.log.levels.WARN)
  end
  local usable = {}
  for key, value in pairs(opts) do
    if types[key] and is_a(value, types[key]) then
      usable[key] = value
    end
  end
  M.options = vim.tbl_deep_extend('force', vim.deepcopy(defaults), usable)
  M.problems_at_setup = problems
end

--- Whether the plugin looks after a buffer.
---@param bufnr integer
---@return boolean
function M.wants(bufnr)
  if not vim.api.nvim_buf_is_loaded(bufnr) or vim.bo[bufnr].buftype ~= '' or vim.b[bufnr].fimble == false then
    return false
  end
  local filetype = vim.bo[bufnr].filetype
  if filetype == '' and vim.api.nvim_buf_get_name(bufnr) == '' then
    return false -- nobody has begun anything here
  end
  local o = M.options
  if vim.list_contains(o.exclude_filetypes, filetype) then
    return false
  end
  return o.filetypes == nil or vim.list_contains(o.filetypes, filetype)
end

return M
