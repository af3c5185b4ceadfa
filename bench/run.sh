#!/bin/sh
# run.sh: the benchmarks, side by side with their peers in the same run; tables with a hardware line go to bench/results.
#   usage: bench/run.sh [--long] [NAME ...]                               needs the installed package (make install)
# NAMES: gemm sfm linear; and, quick by default, networks student prior evaluate tau effendi backings. None: all of them.
# Quick parts (few seeds, small sizes) go to results/quick; with --long everything is run and goes to results.
# DATA (../shared/data) is the folder of data sets; what needs it is left out where it is missing. R_LIBS is heeded.
# OPENBLAS_CORETYPE is left out of the engine's environment: the engine respects it, and these numbers are about what a user
# gets who hasn't set it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
results=$here/results
long=
case ${1:-} in
  --long) long=yes; shift ;;
  -*) echo "run.sh: unknown option $1; usage: bench/run.sh [--long] [NAME ...]" >&2; exit 2 ;;
esac
out_of_new=$results
[ -n "$long" ] || out_of_new=$results/quick
mkdir -p "$results" "$out_of_new"
threads=${THREADS:-2}
data=${DATA:-$top/../shared/data}
export OMP_WAIT_POLICY=passive
what=${*:-gemm sfm linear networks student prior evaluate tau effendi backings}
hardware=$(env -u OPENBLAS_CORETYPE "$here/hardware.sh")
build=${TMPDIR:-/tmp}/causeway-bench
mkdir -p "$build"

# R script NAME and its arguments as a user would run it
script() {
  name=$1; shift
  env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE Rscript "$here/$name" "$@"
}

# seeds LONG QUICK: the number of seeds
seeds() { if [ -n "$long" ]; then echo "$1"; else echo "$2"; fi; }

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

# Pooled networks on 21 sets, per-cell networks, SFM from scratch; quick: one simulated set through the same call, printed.
networks() {
  if [ -z "$long" ]; then
    Rscript -e 'suppressMessages(library(causeway))
      x <- simulateCells(nCells = 500, seed = 1)
      print(benchmarkGRN(list(simulated = x), list(simulated = S4Vectors::metadata(x)$simulation$edges), nBoot = 20))'
  elif [ -d "$data/03_grn" ]; then
    script bench_networks.R "$data/03_grn" "$out_of_new/networks.csv"
    script percell.R 5 "$out_of_new/percell.csv"
    script beeline.R "$data/03_grn/beeline_synthetic" 2 "$out_of_new/beeline.csv"
    script bench_trees.R quality "$data/03_grn" "$out_of_new/estimators.csv"
  else
    echo "run.sh: networks --long needs DATA; $data/03_grn is not there" >&2
  fi
}

# SFM taught by a per-cell network
student() { script student.R "$(seeds 3 1)" "$out_of_new/student.csv"; }

# What priors do to the ridge; without DATA the simulated sets only
prior() { script prior.R "$data" "$out_of_new/prior.csv"; }

# Scoring: speed on 1e7 candidates and stability; false discoveries take longer
evaluate() {
  if [ -n "$long" ]; then
    script bench_evaluate.R speed fdr stability "$out_of_new"
  else
    script bench_evaluate.R speed stability "$out_of_new"
  fi
}

# Delays: accuracy and verdicts; speed in full only
tau() {
  if [ -n "$long" ]; then
    script bench_tau.R all 5 "$out_of_new/tau.csv"
  else
    script bench_tau.R accuracy 1 "$out_of_new/tau.csv"
    script bench_tau.R nulls 1 "$out_of_new/tau.csv"
  fi
}

# Effendi: a training step beside PyTorch; a whole fit in full only. This script writes to results itself.
effendi() { if [ -n "$long" ]; then sh "$here/bench_effendi.sh" step fit; else sh "$here/bench_effendi.sh" step; fi; }

# Networks in memory and on disk
backings() {
  if [ -n "$long" ]; then
    script bench_backings.R "$out_of_new/backings.csv"
    script bench_backings.R --big "$out_of_new/backings_100000.csv"
  else
    script bench_backings.R --pool "$out_of_new/backings.csv"
  fi
}

for one in $what; do
  case $one in
    gemm | sfm | linear | networks | student | prior | evaluate | tau | effendi | backings) "$one" ;;
    *) echo "run.sh: no benchmark called '$one'" >&2; exit 2 ;;
  esac
done
