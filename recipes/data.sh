#!/bin/sh
# Packages to prepared sequences: WORK/packages -> WORK/mined -> WORK/prepared. What is there already is kept.
#
#   recipes/data.sh WORK [EVALUATION.jsonl.gz ...]
#
# EVALUATION: sets that the model will be judged by; what they hold is kept out. The other recipes call this one. By the
# environment: PACKAGES to download from a package index (or put archives into WORK/packages yourself), HELD_OUT of them
# that are never trained on, LIMIT of examples (45,000 are about 30 million tokens), TASKS, and PREPARE, more options of
# `fimble tune prepare`.
set -eu
: "${PACKAGES=networkx textual sqlalchemy bokeh==2.4.3 flask django sympy scrapy sphinx aiohttp attrs tornado}"
: "${HELD_OUT=attrs tornado}"
: "${LIMIT=45000}" "${TASKS=400}" "${PREPARE=}"
work=$1
shift

if [ ! -d "$work/packages" ]; then
    rm -rf "$work/packages.part"
    mkdir -p "$work/packages.part"
    for package in $PACKAGES; do
        python -m pip download --quiet --no-deps --no-binary :all: --dest "$work/packages.part" "$package"
    done
    mv "$work/packages.part" "$work/packages"
fi

if [ ! -f "$work/mined/report.json" ]; then
    sets=""
    for file in "$@"; do sets="$sets --evaluation $file"; done
    # shellcheck disable=SC2086
    fimble tune mine "$work"/packages/* --out "$work/mined" $sets
fi

if [ ! -f "$work/prepared/about.json" ]; then
    held_out=""
    for name in $HELD_OUT; do held_out="$held_out --held-out $name"; done
    # shellcheck disable=SC2086
    fimble tune prepare "$work/mined" --out "$work/prepared" $held_out --limit "$LIMIT" --tasks "$TASKS" $PREPARE
fi
