#!/bin/sh
# The same pipeline on two CPU cores, in about an hour: 640 short examples. What it is for: to see that everything works
# on this machine. docs/tuning.md tells what came out.
#
#   recipes/small.sh WORK [EVALUATION.jsonl.gz ...]
set -eu
export PACKAGES="${PACKAGES-networkx textual sqlalchemy flask attrs tornado}" NAME="${NAME-small}"
export LIMIT="${LIMIT-640}" TASKS="${TASKS-64}" PREPARE="${PREPARE---max-tokens 256}"
# bfloat16 halves the memory, and the time where the CPU has instructions for it.
export TRAIN="${TRAIN---dtype bfloat16 --row-tokens 320 --rows-per-step 4 --held-out-rows 24 --evaluate-every 40}"
exec nice sh "$(dirname "$0")/packages.sh" "$@"
