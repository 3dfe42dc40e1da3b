#!/bin/sh
# The full recipe on a GPU machine without a network: data and weights go there in parts of at most 50 MB, the adapters
# come back. There: Python with fimble[tune] and a torch build for its GPU, nothing else.
#
#   recipes/data.sh WORK SETS; recipes/ablation.sh prepare WORK     here, hours of one core before the GPU is needed
#   recipes/offline.sh pack WORK PARTS                              here: PARTS is what must be carried over
#   recipes/offline.sh train PARTS THERE                            there: all training; the same command goes on
#   recipes/offline.sh unpack THERE/back WORK                       here, once THERE/back was carried home
#   fimble tune eval WORK/run/adapter.gguf ...; recipes/ablation.sh judge WORK SETS
#
# By the environment: PART_SIZE as `split -b` takes it, TRAIN, and ABLATION=no to train the full recipe only.
set -eu
: "${PART_SIZE=50m}" "${ABLATION=yes}"
export TRAIN="${TRAIN---row-tokens 4096 --rows-per-step 16 --evaluate-every 100}"
here=$(cd "$(dirname "$0")" && pwd)
stage=$1
from=$2
to=$3

pack() {
    model=$(sed -n 's/^  "model_id": "\(.*\)",$/\1/p' "$from/prepared/about.json")
    rm -rf "$to"
    mkdir -p "$to"
    cp "$(fimble models path "$model")" "$to/$model.gguf"
    split -b "$PART_SIZE" "$to/$model.gguf" "$to/$model.gguf."
    rm "$to/$model.gguf"
    folders=prepared
    for name in arms-plain arms-context; do [ ! -d "$from/$name" ] || folders="$folders $name"; done
    # shellcheck disable=SC2086
    tar -C "$from" -cf - $folders | split -b "$PART_SIZE" - "$to/data.tar."
    (cd "$to" && sha256sum -- * >SHA256SUMS)
    du -sh "$to"
}

train() {
    (cd "$from" && sha256sum --quiet --check SHA256SUMS) || { echo "$from is not whole: carry it again." >&2; exit 1; }
    mkdir -p "$to/back"
    cat "$from"/data.tar.* | tar -C "$to" -xf -
    model=$(sed -n 's/^  "model_id": "\(.*\)",$/\1/p' "$to/prepared/about.json")
    export FIMBLE_HOME="$to/home"
    if ! fimble models path "$model" >/dev/null 2>&1; then
        cat "$from/$model.gguf".* >"$to/$model.gguf"
        fimble models import "$to/$model.gguf"
        rm "$to/$model.gguf"
    fi
    # shellcheck disable=SC2086
    fimble tune train "$to/prepared" --out "$to/run" $TRAIN
    fimble tune export "$to/run"
    bring run
    if [ "$ABLATION" = yes ]; then
        sh "$here/ablation.sh" train "$to"
        for arm in random curriculum context horizon; do bring "arm-$arm"; done
    fi
}

bring() {
    mkdir -p "$to/back/$1"
    for file in run.json metrics.jsonl adapter.gguf; do cp "$to/$1/$file" "$to/back/$1/$file"; done
}

unpack() {
    cp -R "$from"/. "$to/"
}

case $stage in
pack | train | unpack) "$stage" ;;
*)
    echo "pack, train or unpack?" >&2
    exit 2
    ;;
esac
