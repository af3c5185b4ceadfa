#!/bin/sh
# run.sh: every benchmark, side by side with its peer in the same run; tables with a hardware line go to bench/results.
#   usage: bench/run.sh [gemm] [sfm] [linear]        (all by default)      needs the installed package (make install)
# OPENBLAS_CORETYPE is left out of the engine's environment: the engine respects it, and these numbers are about what a user
# gets who hasn't set it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
results=$here/results
mkdir -p "$results"
threads=${THREADS:-2}
what=${*:-gemm sfm linear}
hardware=$(env -u OPENBLAS_CORETYPE "$here/hardware.sh")
build=${TMPDIR:-/tmp}/causeway-bench
mkdir -p "$build"

# sgemm 2048^3: the engine's, called from R, against OpenBLAS's own threads in a process with the right core type
gemm() {
  gcc -O2 "$here/bench_gemm.c" -o "$build/bench_gemm" $(pkg-config --cflags --libs openblas)
  out=$results/gemm.csv
  echo "run,engine_gflops,openblas_skylakex_gflops,openblas_as_loaded_gflops,ratio,hardware" >"$out"
  for run in 1 2 3 4 5; do
    engine=$(env -u OPENBLAS_CORETYPE Rscript -e 'suppressMessages(library(causeway)); cat(causeway:::.gemmSpeed(2048L, 10L, as.integer(commandArgs(TRUE)[1])))' "$threads")
    right=$(OPENBLAS_CORETYPE=SkylakeX "$build/bench_gemm" 2048 "$threads" 10 | cut -d' ' -f1)
    loaded=$(env -u OPENBLAS_CORETYPE "$build/bench_gemm" 2048 "$threads" 10 | tr ' ' ':')
    echo "$run,$engine,$right,$loaded,$(awk "BEGIN{printf \"%.3f\", $engine / $right}"),$hardware" >>"$out"
  done
  cut -d, -f1-5 "$out"
}

# one JSON field of a line
json() { printf '%s' "$1" | sed -n "s/.*\"$2\": \"\\{0,1\\}\\([^,\"}]*\\).*/\\1/p"; }

# SFM: inference and training step, C = 8, G = 1,024, D = 256, 4 layers, 8 heads, M = 128, k = 16
sfm() {
  sh "$here/torch_venv.sh" "${VENV:-/tmp/venv-torch}" >&2
  python=${VENV:-/tmp/venv-torch}/bin/python
  case_dir=$build/sfm_case
  [ -f "$case_dir/case.safetensors" ] || "$python" "$here/peer_sfm_torch.py" --write-package "$case_dir" >&2
  make -s -C "$top/tests/engine" SAN= OPT=-O2 build/gcc/bench_sfm >&2
  out=$results/sfm.csv
  echo "run,mode,engine_s,torch_s,torch_mkl_as_intel_s,time_ratio,time_ratio_mkl_as_intel,engine_mb,torch_mb,memory_ratio,threads,hardware" >"$out"
  for run in 1 2 3; do
    for mode in infer train; do
      e=$(env -u OPENBLAS_CORETYPE "$top/tests/engine/build/gcc/bench_sfm" "$mode" "$case_dir" "$threads" 7)
      t=$("$python" "$here/peer_sfm_torch.py" --bench "$mode" --case "$case_dir" --threads "$threads" --repeats 7)
      m=$t
      if grep -q AuthenticAMD /proc/cpuinfo; then
        m=$("$python" "$here/peer_sfm_torch.py" --bench "$mode" --case "$case_dir" --threads "$threads" --repeats 7 --mkl-as-intel)
      fi
      es=$(json "$e" median_s); ts=$(json "$t" median_s); ms=$(json "$m" median_s)
      em=$(json "$e" rss_peak_minus_before_mb); tm=$(json "$t" peak_minus_before_mb)
      awk "BEGIN{printf \"%s,%s,%s,%s,%s,%.3f,%.3f,%s,%s,%.3f,%s,\", \"$run\", \"$mode\", $es, $ts, $ms, $es/$ts, $es/$ms, $em, $tm, $em/$tm, \"$threads\"}" >>"$out"
      echo "$hardware" >>"$out"
    done
  done
  cut -d, -f1-10 "$out"
}

# inferGRN over the number of cells
linear() { env -u OPENBLAS_CORETYPE Rscript "$here/linear.R" "$results/linear.csv" "$hardware"; }

for one in $what; do
  case $one in
    gemm) gemm ;;
    sfm) sfm ;;
    linear) linear ;;
    *) echo "run.sh: no benchmark called '$one'" >&2; exit 2 ;;
  esac
done
