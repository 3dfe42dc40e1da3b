if vim.g.loaded_fimble then
  return
end
vim.g.loaded_fimble = true

vim.api.nvim_create_user_command('Fimble', function(command)
  require('fimble.command').run(command.fargs)
end, {
  nargs = '*',
  desc = 'fimble: status, enable, disable, restart, download, trigger, log',
  complete = function(_, line, at)
    return require('fimble.command').complete(line:sub(1, at))
  end,
})
