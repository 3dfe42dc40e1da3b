--- The :Fimble command.
local server = require('fimble.server')
local status = require('fimble.status')

local M = {}

local scopes = { 'global', 'language', 'file' }

---@param scope? string
---@return string?
local function checked(scope)
  if scope and not vim.list_contains(scopes, scope) then
    vim.notify(('Fimble: %q is no scope; use %s'):format(scope, table.concat(scopes, ', ')), vim.log.levels.ERROR)
    return nil
  end
  return scope or 'global'
end

---@type table<string, { run: fun(argument?: string), arguments?: string[] }>
local subcommands = {
  enable = {
    arguments = scopes,
    run = function(argument)
      local scope = checked(argument)
      if scope then
        require('fimble').enable(true, scope)
      end
    end,
  },
  disable = {
    arguments = scopes,
    run = function(argument)
      local scope = checked(argument)
      if scope then
        require('fimble').enable(false, scope)
      end
    end,
  },
  status = {
    run = function()
      local uri = vim.uri_from_bufnr(0)
      if not server.client() then
        vim.notify(status.describe())
        return
      end
      server.command('fimble.status', { uri = uri }, function(message, result)
        local text = status.describe()
        if message then
          text = text .. '\n' .. message
        elseif result and result.off then
          text = text .. ('\nNo completions in this file (%s).'):format(result.off:gsub('_', ' '))
        end
        vim.notify(text)
      end)
    end,
  },
  why = {
    run = function()
      local bufnr = vim.api.nvim_get_current_buf()
      local client = server.client(bufnr)
      if not client then
        vim.notify('fimble: the server does not serve this buffer; see :checkhealth fimble', vim.log.levels.ERROR)
        return
      end
      local place = vim.lsp.util.make_position_params(0, client.offset_encoding)
      server.command('fimble.explain', { uri = place.textDocument.uri, position = place.position }, function(message, result)
        if message then
          vim.notify('fimble: ' .. message, vim.log.levels.ERROR)
          return
        end
        vim.cmd('new')
        vim.bo.buftype, vim.bo.bufhidden, vim.bo.swapfile = 'nofile', 'wipe', false
        vim.api.nvim_buf_set_lines(0, 0, -1, false, vim.split(vim.trim(result.markdown), '\n'))
        vim.bo.filetype, vim.bo.modifiable = 'markdown', false
      end)
    end,
  },
  restart = { run = server.restart },
  download = {
    run = function()
      server.command('fimble.download')
    end,
  },
  trigger = {
    run = function()
      require('fimble').trigger()
    end,
  },
  log = {
    run = function()
      vim.cmd.tabnew(vim.lsp.log.get_filename())
    end,
  },
}

---@param arguments string[]
function M.run(arguments)
  local name = arguments[1] or 'status'
  local subcommand = subcommands[name]
  if not subcommand or #arguments > (subcommand.arguments and 2 or 1) then
    local names = vim.tbl_keys(subcommands)
    table.sort(names)
    vim.notify(
      ('Fimble: cannot do %q; there are %s'):format(table.concat(arguments, ' '), table.concat(names, ', ')),
      vim.log.levels.ERROR
    )
    return
  end
  subcommand.run(arguments[2])
end

---@param line string the command line up to the cursor
---@return string[]
function M.complete(line)
  local words = vim.split(line, '%s+')
  local candidates = #words <= 2 and vim.tbl_keys(subcommands)
    or (subcommands[words[2]] or {}).arguments
    or {}
  local matching = vim.tbl_filter(function(candidate)
    return vim.startswith(candidate, words[#words])
  end, candidates)
  table.sort(matching)
  return matching
end

return M
