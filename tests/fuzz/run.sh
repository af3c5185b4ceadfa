# run.sh: what the scripts here share that need the engine alone; read by them (.) in tests/engine with `seconds`, `out` and
# `longest` (bytes of an input) set.
engine=../../src/engine
run() { # run TARGET SOURCES: fuzz_TARGET.c and these, from the inputs in $out/TARGET
  what=$1; shift
  clang -g -O1 -fsanitize=fuzzer,address,undefined -D_POSIX_C_SOURCE=200809L -I$engine "fuzz_$what.c" "$@" -lcjson -lm \
    -o "$out/fuzz_$what" || exit 1
  "$out/fuzz_$what" -rss_limit_mb=2500 -timeout=60 -max_len="$longest" -max_total_time="$seconds" \
    -artifact_prefix="$out/$what-" "$out/$what" >"$out/$what.log" 2>&1 || { tail -30 "$out/$what.log"; exit 1; }
  echo "$what: $(tail -1 "$out/$what.log")"
}
one_tensor() { # one_tensor FILE HEADER: a safetensors file of 8 bytes of data
  printf "\\$(printf %o ${#2})\\0\\0\\0\\0\\0\\0\\0%s12345678" "$2" >"$1"
}
