#!/bin/sh
# What each part is worth: random order, curriculum, curriculum with context, and all of that with the horizon loss.
# The same examples in every arm, as many steps, one table an arm; none is installed. Stopped, it goes on where it was.
#
#   recipes/ablation.sh prepare WORK                            sequences with and without context
#   recipes/ablation.sh train WORK                              four adapters; needs a GPU, no network
#   recipes/ablation.sh judge WORK [EVALUATION.jsonl.gz ...]    a table each
#
# WORK is a folder that recipes/data.sh filled. By the environment: ARM_EXAMPLES, HELD_OUT and PREPARE as there, TRAIN.
set -eu
: "${ARM_EXAMPLES=10000}" "${HELD_OUT=attrs tornado}" "${PREPARE=}"
: "${TRAIN=--row-tokens 4096 --rows-per-step 16 --evaluate-every 100}"
stage=$1
work=$2
shift 2

prepare() {
    if [ ! -f "$work/$1/about.json" ]; then
        held_out=""
        for name in $HELD_OUT; do held_out="$held_out --held-out $name"; done
        out=$work/$1
        shift
        # shellcheck disable=SC2086
        fimble tune prepare "$work/mined" --out "$out" $held_out --limit "$ARM_EXAMPLES" --tasks 0 $PREPARE "$@"
    fi
}

train() {
    arm=$work/arm-$1
    data=$work/$2
    shift 2
    # shellcheck disable=SC2086
    fimble tune train "$data" --out "$arm" $TRAIN "$@"
    fimble tune export "$arm"
}

case $stage in
prepare)
    prepare arms-plain --no-context
    prepare arms-context
    ;;
train)
    train random arms-plain --order random --horizon-weight 0
    train curriculum arms-plain --order curriculum --horizon-weight 0
    train context arms-context --order curriculum --horizon-weight 0
    train horizon arms-context --order curriculum
    ;;
judge)
    sets=""
    for file in "$@"; do sets="$sets --set $file"; done
    for name in random curriculum context horizon; do
        echo "== $name"
        # An arm that does not win ends with 1; what it is compared for is the table.
        # shellcheck disable=SC2086
        fimble tune eval "$work/arm-$name/adapter.gguf" --tasks "$work/prepared/tasks.jsonl" $sets || true
    done
    ;;
*)
    echo "prepare, train or judge?" >&2
    exit 2
    ;;
esac
