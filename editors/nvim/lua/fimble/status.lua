--- What the server is doing: kept for the statusline, told by the User event FimbleStatus.
local M = {}

---@class fimble.Status
---@field state 'starting'|'downloading'|'ready'|'busy'|'paused'|'error'|'stopped'
---@field message string
---@field percent? integer
---@field mend? string
---@field model? string

---@type fimble.Status
M.current = { state = 'stopped', message = 'not started' }

local icons = {
  starting = '…',
  downloading = '↓',
  ready = '●',
  busy = '◌',
  paused = '‖',
  error = '✗',
  stopped = '✗',
}

---@param status fimble.Status
function M.set(status)
  M.current = status
  vim.api.nvim_exec_autocmds('User', { pattern = 'FimbleStatus', modeline = false, data = status })
  vim.cmd.redrawstatus()
end

--- For a statusline: 'fimble ●', 'fimble ↓ 45%'.
---@return string
function M.component()
  local status = M.current
  local text = 'fimble ' .. (icons[status.state] or '?')
  if status.state == 'downloading' and status.percent then
    text = text .. (' %d%%%%'):format(status.percent)
  end
  return text
end

--- A sentence or two, with what to do about it.
---@return string
function M.describe()
  local status = M.current
  local text = ('fimble is %s: %s'):format(status.state, status.message)
  if status.model then
    text = text .. (' (model %s)'):format(status.model)
  end
  if status.mend and status.mend ~= '' then
    text = text .. '\n' .. status.mend
  end
  return text
end

return M
