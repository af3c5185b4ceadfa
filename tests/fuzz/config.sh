#!/bin/sh
# config.sh [SECONDS]: configs in JSON and checkpoints under libFuzzer, each for so long, from small files made here. (YAML
# is read by R's yaml package, not by the engine.) A crash, a leak or more memory than allowed ends it with its report.
cd "$(dirname "$0")/../engine" || exit 1
seconds=${1:-60}
out=${TMPDIR:-/tmp}/causeway-fuzz-config
longest=20000
. ../fuzz/run.sh
mkdir -p "$out/json" "$out/checkpoint"
printf '{"sfm": {"embed_dim": 64, "rate": 1.5e-3, "units": [8, 16, "x"], "no": null}}' >"$out/json/one"
one_tensor "$out/checkpoint/one" \
  '{"__metadata__": {"class": "sfm", "model": "{}", "step": "1"}, "x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
run json $engine/core/core.c $engine/core/settings.c $engine/io/json.c $engine/io/place.c
# shellcheck disable=SC2046
run checkpoint $(sed -n "s|^ *engine/\([^ ]*\.c\).*|$engine/\1|p" ../../src/sources.mk)
