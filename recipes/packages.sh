#!/bin/sh
# Tune the default model on Python packages, from nothing to a verdict. Needs a package index and, to be done within
# an hour, a GPU; on two cores take recipes/small.sh.
#
#   recipes/packages.sh WORK [EVALUATION.jsonl.gz ...]
#
# EVALUATION: sets that the model will be judged by. What they hold is kept out of the training data, and the adapter
# must not lose on them.
set -eu
work=$1
shift
sets=""
for file in "$@"; do sets="$sets --evaluation $file"; done
must_not_lose=""
for file in "$@"; do must_not_lose="$must_not_lose --set $file"; done

mkdir -p "$work/packages"
for package in networkx textual sqlalchemy bokeh==2.4.3 flask django sympy scrapy sphinx aiohttp attrs tornado; do
    python -m pip download --quiet --no-deps --no-binary :all: --dest "$work/packages" "$package"
done

# shellcheck disable=SC2086
fimble tune mine "$work"/packages/* --out "$work/mined" $sets
fimble tune prepare "$work/mined" --out "$work/prepared" --held-out attrs --held-out tornado --tasks 400

# Several GPUs: torchrun --nproc-per-node N -m fimble.cli.main tune train ...
fimble tune train "$work/prepared" --out "$work/run" --row-tokens 4096 --rows-per-step 16 --evaluate-every 200
fimble tune export "$work/run"
# shellcheck disable=SC2086
fimble tune eval "$work/run/adapter.gguf" --tasks "$work/prepared/tasks.jsonl" $must_not_lose --install packages
