#!/bin/sh
# Tune the default model on Python packages, from nothing to a verdict. Needs a package index and, to be done within
# an hour, a GPU; on two cores take recipes/small.sh; for a GPU without a network, recipes/offline.sh. Stopped, the same
# command goes on where it was.
#
#   recipes/packages.sh WORK [EVALUATION.jsonl.gz ...]
#
# EVALUATION: sets that the model will be judged by. What they hold is kept out of the training data, and the adapter
# must not lose on them. By the environment: what recipes/data.sh takes, TRAIN, options of `fimble tune train`, and NAME
# of the adapter. Several GPUs: TRAIN_WITH="torchrun --nproc-per-node N -m fimble.cli.main".
set -eu
: "${TRAIN=--row-tokens 4096 --rows-per-step 16 --evaluate-every 100}" "${NAME=packages}" "${TRAIN_WITH=fimble}"
here=$(dirname "$0")
work=$1
sh "$here/data.sh" "$@"
shift

# shellcheck disable=SC2086
$TRAIN_WITH tune train "$work/prepared" --out "$work/run" $TRAIN
fimble tune export "$work/run"
must_not_lose=""
for file in "$@"; do must_not_lose="$must_not_lose --set $file"; done
# shellcheck disable=SC2086
fimble tune eval "$work/run/adapter.gguf" --tasks "$work/prepared/tasks.jsonl" $must_not_lose --install "$NAME"
