#!/bin/sh
# cells.sh [SECONDS [FILE...]]: the readers of cells under libFuzzer, from the files given (the shared fixtures by default)
# and those that test_cells.c makes. Each input runs in a process of its own (-fork), because HDF5 itself can fall over
# damaged metadata: what it prints says whether a crash is in cw_ (ours) or in H5 (the library's).
cd "$(dirname "$0")/../engine" || exit 1
seconds=${1:-60}
export ASAN_OPTIONS=detect_leaks=0 # of HDF5; ours are counted
[ $# -gt 0 ] && shift
out=${TMPDIR:-/tmp}/causeway-fuzz
mkdir -p "$out/corpus" "$out/crashes"
if [ $# -eq 0 ]; then
  set -- $(find ../../../shared/data/06_h5_fixtures -type f -size -110k \( -name '*.h5' -o -name '*.h5ad' \) 2>/dev/null)
fi
for f in "$@"; do cp "$f" "$out/corpus/"; done
clang -g -O1 -fsanitize=fuzzer,address,undefined -DCW_HAVE_HDF5 -D_POSIX_C_SOURCE=200809L -I../../src/engine \
  $(pkg-config --cflags hdf5) fuzz_cells.c ../../src/engine/core/core.c ../../src/engine/io/hdf5.c \
  ../../src/engine/io/h5_items.c ../../src/engine/io/h5_cells.c $(pkg-config --libs hdf5) -lm -o "$out/fuzz" || exit 1
"$out/fuzz" -fork=1 -ignore_crashes=1 -ignore_ooms=0 -rss_limit_mb=2500 -timeout=60 -max_len=200000 -detect_leaks=0 \
  -max_total_time="$seconds" -artifact_prefix="$out/crashes/" "$out/corpus" >"$out/log" 2>&1
tail -1 "$out/log"
ours=0
for crash in "$out"/crashes/crash-* "$out"/crashes/oom-* "$out"/crashes/timeout-*; do
  [ -e "$crash" ] || continue
  # The innermost frame that has a name and is neither libc's nor the sanitizer's says whose fault it is.
  frame=$("$out/fuzz" -detect_leaks=0 -timeout=60 "$crash" 2>&1 |
    sed -n 's/^ *#[0-9]* 0x[0-9a-f]* in \([A-Za-z_0-9]*\) .*/\1/p' | grep -E '^(cw_|H5|fuzz_|read_|check_|take_)' | head -1)
  echo "$(basename "$crash"): $frame"
  case $frame in H5*) ;; *) ours=$((ours + 1)) ;; esac
done
echo "$ours of ours"
[ $ours -eq 0 ]
