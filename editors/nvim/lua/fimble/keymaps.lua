--- Keys of insert mode. Each does its work when a suggestion is shown, and is the key it always was when none is.
local config = require('fimble.config')
local native = require('fimble.native')
local suggest = require('fimble.suggest')

local M = {}

---@type table<integer, table<string, table>> what buffers had on our keys before us
local had = {}

--- Bytes of keys, a byte 0x80 of the text unmarked: Neovim marks it when it takes the keys, and twice would be wrong.
---@param notation string
---@return string
local function bytes_of(notation)
  return (vim.keycode(notation):gsub('\128\254X', '\128'))
end

---@param map table as of nvim_get_keymap
---@param lhs string
---@return string keys to run in its place
local function run(map, lhs)
  local keys
  if map.expr == 1 then
    if map.callback then
      keys = map.callback()
    else
      keys = vim.api.nvim_eval(bytes_of(map.rhs)) -- the expression stands there in key notation, as any `rhs`
    end
    keys = type(keys) == 'string' and keys or ''
    keys = map.replace_keycodes == 1 and bytes_of(keys) or keys
  elseif map.callback then
    vim.schedule(map.callback)
    return ''
  else
    keys = bytes_of(map.rhs or '')
  end
  if map.noremap == 1 then
    return keys
  end
  -- Like Neovim, leave the key itself unmapped where the mapping begins with it: else it would run for ever.
  local itself = bytes_of(lhs)
  local n_unmapped = vim.startswith(keys, itself) and #itself or 0
  vim.api.nvim_feedkeys(keys:sub(n_unmapped + 1), 'im', true)
  vim.api.nvim_feedkeys(keys:sub(1, n_unmapped), 'in', true)
  return ''
end

--- The mapping of a key; Neovim keeps some keys, such as <C-]>, in another form than keycode gives.
---@param maps table[] as of nvim_get_keymap
---@param lhs string
---@return table?
local function find(maps, lhs)
  local raw = vim.keycode(lhs)
  for _, map in ipairs(maps) do
    if map.lhsraw == raw or vim.keycode(map.lhs) == raw then
      return map
    end
  end
end

--- What the key does without us: the buffer's own mapping, else the global one, else itself.
---@param bufnr integer
---@param lhs string
---@return string
local function fall_through(bufnr, lhs)
  local map = had[bufnr] and had[bufnr][lhs] or find(vim.api.nvim_get_keymap('i'), lhs)
  return map and run(map, lhs) or vim.keycode(lhs)
end

--- A command to be run in the mapping's place: in order with the keys around it, with an undo step of its own.
---@param lua string
---@return string
local function command(lua)
  return vim.keycode(('<C-g>u<Cmd>lua %s<CR><C-g>u'):format(lua))
end

---@type table<string, fun(is_native: boolean): string?> keys to run, nil to fall through
local actions = {
  accept = function(is_native)
    if is_native then
      return native.take() and '' or nil
    end
    return command("require('fimble.suggest').take('all')")
  end,
  accept_word = function(is_native)
    if is_native then
      return native.take_part(suggest.first_word) and '' or nil
    end
    return command("require('fimble.suggest').take('word')")
  end,
  accept_line = function(is_native)
    if is_native then
      return native.take_part(suggest.first_line) and '' or nil
    end
    return command("require('fimble.suggest').take('line')")
  end,
  dismiss = function(is_native)
    if not is_native then
      return vim.keycode("<Cmd>lua require('fimble.suggest').dismiss()<CR>")
    end
  end,
  next = function(is_native)
    if is_native then
      native.cycle(1)
      return ''
    end
    return vim.keycode("<Cmd>lua require('fimble.suggest').cycle(1)<CR>")
  end,
  previous = function(is_native)
    if is_native then
      native.cycle(-1)
      return ''
    end
    return vim.keycode("<Cmd>lua require('fimble.suggest').cycle(-1)<CR>")
  end,
}

---@param name string
---@param bufnr integer
---@param lhs string
---@param is_native boolean
---@return string
local function press(name, bufnr, lhs, is_native)
  local keys
  if is_native or suggest.is_shown(bufnr) then
    keys = actions[name](is_native)
  end
  return keys or fall_through(bufnr, lhs)
end

---@param bufnr integer
---@param is_native boolean
function M.set(bufnr, is_native)
  if had[bufnr] then
    return
  end
  had[bufnr] = {}
  local before = vim.api.nvim_buf_get_keymap(bufnr, 'i')
  for name, lhs in pairs(config.options.keymaps) do
    if lhs then
      had[bufnr][lhs] = find(before, lhs)
      if name == 'trigger' then
        local trigger = is_native and native.trigger or suggest.trigger
        vim.keymap.set('i', lhs, trigger, { buffer = bufnr, desc = 'fimble: ask for suggestions' })
      else
        vim.keymap.set('i', lhs, function()
          return press(name, bufnr, lhs, is_native)
        end, { buffer = bufnr, expr = true, replace_keycodes = false, desc = 'fimble: ' .. name:gsub('_', ' ') })
      end
    end
  end
end

--- Give the keys back.
---@param bufnr integer
function M.unset(bufnr)
  if not had[bufnr] then
    return
  end
  local before = had[bufnr]
  had[bufnr] = nil
  if not vim.api.nvim_buf_is_valid(bufnr) then
    return
  end
  for _, lhs in pairs(config.options.keymaps) do
    if lhs then
      pcall(vim.keymap.del, 'i', lhs, { buffer = bufnr })
      if before[lhs] then
        vim.api.nvim_buf_call(bufnr, function()
          vim.fn.mapset('i', false, before[lhs])
        end)
      end
    end
  end
end

return M
