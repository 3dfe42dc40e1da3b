#!/bin/sh
# What each part is worth: random order, curriculum, curriculum with context, and all of that with the horizon loss.
#
#   recipes/ablation.sh WORK TASKS SET.jsonl.gz ...
#
# WORK/mined is what recipes/packages.sh made; TASKS its prepared/tasks.jsonl. One table an arm; none is installed.
set -eu
work=$1
tasks=$2
shift 2
sets=""
for file in "$@"; do sets="$sets --set $file"; done
held_out="--held-out attrs --held-out tornado"

# shellcheck disable=SC2086
fimble tune prepare "$work/mined" --out "$work/plain" $held_out --no-context
# shellcheck disable=SC2086
fimble tune prepare "$work/mined" --out "$work/context" $held_out

arm() {
    name=$1
    data=$2
    shift 2
    fimble tune train "$work/$data" --out "$work/arm-$name" --row-tokens 4096 --rows-per-step 16 "$@"
    fimble tune export "$work/arm-$name"
    echo "== $name"
    # shellcheck disable=SC2086
    fimble tune eval "$work/arm-$name/adapter.gguf" --tasks "$tasks" $sets || true
}

arm random plain --order random --horizon-weight 0
arm curriculum plain --order curriculum --horizon-weight 0
arm context context --order curriculum --horizon-weight 0
arm horizon context --order curriculum
