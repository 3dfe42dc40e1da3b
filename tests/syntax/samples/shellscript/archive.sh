#!/bin/sh
# Keeps old logs; plain POSIX shell.

set -eu

dir=${1:-/var/log/sample}
keep=${2:-7}
now=$(date +%s)

case "$dir" in
  /*) : ;;
  *) dir=$PWD/$dir ;;
esac

if [ ! -d "$dir" ]; then
  echo "no such folder: $dir" >&2
  exit 66
fi

age_of() {
  # days since the last change of "$1"
  changed=$(stat -c %Y "$1" 2>/dev/null || stat -f %m "$1")
  echo $(( (now - changed) / 86400 ))
}

n=0
for file in "$dir"/*.log "$dir"/*.log.[0-9]; do
  [ -f "$file" ] || continue
  days=$(age_of "$file")
  if [ "$days" -gt "$keep" ] && ! [ -L "$file" ]; then
    gzip -c "$file" > "$file.gz.tmp" && mv "$file.gz.tmp" "$file.gz"
    : > "$file"
    n=$((n + 1))
  elif [ "$days" -eq 0 ] || test -s "$file"; then
    printf '%-40s %3d days\n' "${file##*/}" "$days"
  fi
done

while [ "$n" -gt 0 ]
do
  printf .
  n=`expr $n - 1`
done
echo

cat << END | tee -a "$dir/report.txt" > /dev/null
Archived in $dir on $(date)
  by ${USER:-"nobody"}
END

find "$dir" -name '*.gz' -mtime +365 -exec rm -f {} \; -print | sort -r > /tmp/removed.$$ 2>&1
test -s /tmp/removed.$$ && mail -s "removed: $(wc -l < /tmp/removed.$$)" root < /tmp/removed.$$
rm -f /tmp/removed.$$
trap 'exit 1' HUP INT QUIT
(cd "$dir" && ls -1 | sed -n '1,3p;$p') || exit $?
