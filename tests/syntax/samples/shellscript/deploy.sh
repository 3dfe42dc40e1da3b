#!/usr/bin/env bash
# Builds and deploys a site; it's a sample for the syntax tests ("quotes" too).
set -euo pipefail
shopt -s nullglob extglob

readonly VERSION="1.2.3"
declare -r ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
declare -A TARGETS=([staging]="user@staging.example.org" [live]='user@live.example.org')
declare -a STEPS=(check build "upload files" 'switch over')
export PATH="$ROOT/bin:$PATH" LC_ALL=C
umask 022
VERBOSE=0 DRY_RUN=${DRY_RUN:-no}
: "${TMPDIR:=/tmp}"

die() {
  local status=$?
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit $((status > 0 ? status : 1))
}

function log {
  if (( VERBOSE > 0 )); then
    echo "[$(date +%H:%M:%S)] $*" >&2
  fi
}

usage() {
  cat <<EOF
Usage: ${0##*/} [-v] [-n] [--] target...

  -v   say what is done; it's repeated for more
  -n   do nothing ("dry run")
Targets: ${!TARGETS[@]}
Today is $(date "+%A"), and 2 + 2 = $((2 + 2)).
EOF
  cat <<-'RAW'
	Nothing $here is `expanded`, isn't it?
	RAW
}

cleanup() {
  [[ -n ${work:-} && -d $work ]] && rm -rf -- "$work"
  trap - EXIT INT TERM
}
trap cleanup EXIT
trap 'die "interrupted"' INT TERM

check() {
  local tool missing=()
  for tool in rsync tar "${EXTRA_TOOLS[@]:-git}"; do
    command -v "$tool" > /dev/null 2>&1 || missing+=("$tool")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    die "missing: ${missing[*]}"
  elif [[ $OSTYPE == darwin* || $OSTYPE =~ ^(free|open)bsd ]]; then
    log "not Linux: $OSTYPE"
  else
    return 0
  fi
}

build() {
  local source=$1 out="${2:-$ROOT/out}"
  local -i count=0
  mkdir -p "$out"/{css,js,img}
  while IFS= read -r -d '' file; do
    case "${file##*.}" in
      md | markdown)
        sed -e 's/^# \(.*\)$/<h1>\1<\/h1>/' -e "s/@VERSION@/$VERSION/g" "$file" > "$out/$(basename "${file%.*}").html"
        ;;
      css) cp -- "$file" "$out/css/" ;;
      js | mjs)
        if ! grep -q 'use strict' "$file"; then
          { echo '"use strict";'; cat "$file"; } > "$out/js/${file##*/}"
        fi
        ;&
      *.tmp)
        continue
        ;;
      *)
        log "ignored: $file"
        ;;
    esac
    ((count++)) || true
  done < <(find "$source" -type f \( -name '*.md' -o -name '*.css' -o ! -name '.*' \) -print0 | sort -z)
  echo "$count"
}

size_of() {
  local bytes
  bytes=$(du -sk "$1" 2>/dev/null | awk '{ total += $1 } END { print total * 1024 }')
  if ((bytes >= 1 << 20)); then
    echo "$((bytes / 1024 / 1024)) MiB"
  else
    echo "$bytes bytes"
  fi
}

upload() {
  local target=$1 tries=0
  until rsync -az --delete ${VERBOSE:+--progress} -e "ssh -o ConnectTimeout=5" "$work/" "${TARGETS[$target]}:/srv/www/"; do
    tries=$((tries + 1))
    [ "$tries" -lt 3 ] || return 1
    sleep $((2 ** tries))
  done
  ssh "${TARGETS[$target]}" bash -s -- "$VERSION" <<'REMOTE'
set -e
ln -sfn "/srv/www/$1" /srv/current
for service in nginx "app@$1"; do systemctl reload "$service" || echo "no $service"; done
REMOTE
}

parallel_upload() {
  local target pids=() status=0
  for target in "$@"; do
    (
      log "to $target"
      upload "$target" | tee -a "$work.log"
    ) &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || status=$?
  done
  return "$status"
}

while getopts ':vnh' option; do
  case $option in
    v) VERBOSE=$((VERBOSE + 1)) ;;
    n) DRY_RUN=yes ;;
    h) usage; exit 0 ;;
    \?) die "unknown option: -$OPTARG" ;;
  esac
done
shift $((OPTIND - 1))

[[ $# -gt 0 ]] || { usage >&2; exit 2; }

work=$(mktemp -d "${TMPDIR%/}/deploy.XXXXXX") || die "no temporary folder"
check
count=$(build "$ROOT/content" "$work")
log "built $count files, $(size_of "$work")"

for ((i = 0; i < ${#STEPS[@]}; i++)); do
  log "step $((i + 1)) of ${#STEPS[@]}: ${STEPS[i]^}"
done

for target; do
  [[ -v TARGETS[$target] ]] || die "no such target: '$target'"
  if [[ $DRY_RUN == yes ]]; then
    echo "would upload to ${TARGETS[$target]/user@/}" && continue
  fi
done

if test "$DRY_RUN" = no && [ -t 1 -a -r /dev/tty ]; then
  read -rp "Deploy $VERSION to $*? [y/N] " answer < /dev/tty
  [[ ${answer,,} == y?(es) ]] || die 'stopped'
  parallel_upload "$@" 2>&1 | sed 's/^/    /'
fi

names="a:b:c"
IFS=: read -ra parts <<< "$names"
joined=$(printf ',%s' "${parts[@]}")
echo "${joined:1} ${#names} ${names//:/;} ${names%%:*} ${names: -1}" \
  | tr a-z A-Z \
  | head -n 1
old=`pwd`; cd - > /dev/null && cd "$old"
select choice in one two; do break; done < /dev/null || true
echo $'tab\there' "$old" >> /dev/null; exit ${PIPESTATUS[0]}
