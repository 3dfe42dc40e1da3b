# Completion for a made-up tool.

_tool_list() {
  local -a found
  mapfile -t found < <(tool list --plain 2> /dev/null)
  printf '%s\n' "${found[@]}"
}

_tool() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  case $previous in
    --file | -f)
      COMPREPLY=($(compgen -f -- "$current"))
      return 0
      ;;
    --colour)
      COMPREPLY=($(compgen -W 'always never auto' -- "$current"))
      return 0
      ;;
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "--help --file --colour -f $(tool --options)" -- "$current"))
  else
    COMPREPLY=($(compgen -W "$(_tool_list)" -- "$current"))
  fi
} && complete -F _tool -o default tool t

if [ -n "$ZSH_VERSION" ]; then
  autoload -U bashcompinit
  bashcompinit
fi

retry() {
  local n=$1
  shift
  while ! "$@"; do
    n=$((n - 1))
    if [ "$n" -le 0 ]; then
      echo "gave up: $*" >&2
      return 1
    fi
    sleep 1
  done
}

average() {
  awk -F, -v column="$1" '
    NR > 1 && $column != "" { sum += $column; n++ }
    END { if (n) printf "%.2f\n", sum / n; else print "none" }
  ' "$2"
}

backup() (
  cd "$1" || exit
  tar --exclude='*.o' -cf - . | gzip -9 > "$OLDPWD/backup-$(date +%F).tar.gz"
)

first_line() { read -r line < "$1" && echo "${line%$'\r'}"; }

menu() {
  local key
  while :; do
    printf '%s\n' "1) list" "2) quit"
    read -rsn1 key
    case "$key" in
      1) ls -la ;;
      2 | q) break ;;
    esac
  done
}

matrix=(
  1 2 3
  4 5 6 # a comment inside
)
sum=0
for n in "${matrix[@]}"; do let "sum += n"; done
if ((sum == 21)) && [[ ! -e /nowhere ]]; then echo "ok: $sum"; fi
