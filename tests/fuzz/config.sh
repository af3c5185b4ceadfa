#!/bin/sh
# config.sh [SECONDS]: configs in JSON and checkpoints under libFuzzer, each for so long, from small files made here. (YAML
# is read by R's yaml package, not by the engine.) A crash, a leak or more memory than allowed ends it with its report.
cd "$(dirname "$0")/../engine" || exit 1
seconds=${1:-60}
out=${TMPDIR:-/tmp}/causeway-fuzz-config
engine=../../src/engine
mkdir -p "$out/json" "$out/checkpoint"
printf '{"sfm": {"embed_dim": 64, "rate": 1.5e-3, "units": [8, 16, "x"], "no": null}}' >"$out/json/one"
header='{"__metadata__": {"class": "sfm", "model": "{}", "step": "1"}, "x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
printf "\\$(printf %o ${#header})\\0\\0\\0\\0\\0\\0\\0%s12345678" "$header" >"$out/checkpoint/one"
run() { # run TARGET SOURCES
  what=$1; shift
  clang -g -O1 -fsanitize=fuzzer,address,undefined -D_POSIX_C_SOURCE=200809L -I$engine "fuzz_$what.c" "$@" -lcjson -lm \
    -o "$out/fuzz_$what" || exit 1
  "$out/fuzz_$what" -rss_limit_mb=2500 -timeout=60 -max_len=20000 -max_total_time="$seconds" \
    -artifact_prefix="$out/$what-" "$out/$what" >"$out/$what.log" 2>&1 || { tail -30 "$out/$what.log"; exit 1; }
  tail -1 "$out/$what.log"
}
run json $engine/core/core.c $engine/core/settings.c $engine/io/json.c $engine/io/place.c
# shellcheck disable=SC2046
run checkpoint $(sed -n "s|^ *engine/\([^ ]*\.c\).*|$engine/\1|p" ../../src/sources.mk)
