#!/bin/sh
# The same pipeline on two CPU cores, in about an hour: 640 short examples. What it is for: to see that everything works
# on this machine. docs/tuning.md tells what came out.
#
#   recipes/small.sh WORK [EVALUATION.jsonl.gz ...]
set -eu
work=$1
shift
sets=""
for file in "$@"; do sets="$sets --evaluation $file"; done

mkdir -p "$work/packages"
for package in networkx textual sqlalchemy flask attrs tornado; do
    python -m pip download --quiet --no-deps --no-binary :all: --dest "$work/packages" "$package"
done

# shellcheck disable=SC2086
fimble tune mine "$work"/packages/* --out "$work/mined" $sets
fimble tune prepare "$work/mined" --out "$work/prepared" --held-out attrs --held-out tornado \
    --limit 640 --tasks 64 --max-tokens 256
# bfloat16 halves the memory, and the time where the CPU has instructions for it.
nice fimble tune train "$work/prepared" --out "$work/run" --dtype bfloat16 --row-tokens 320 --rows-per-step 4 \
    --held-out-rows 24 --evaluate-every 40
fimble tune export "$work/run"
fimble tune eval "$work/run/adapter.gguf" --tasks "$work/prepared/tasks.jsonl" --install small
