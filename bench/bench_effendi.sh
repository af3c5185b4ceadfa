#!/bin/sh
# bench_effendi.sh: Effendi's training step (stage 2.2, 128 cells, 1,654 genes, width 512, 200 steps), the engine beside
# PyTorch in the direct form, same weights and data, three turns; then 10,000 cells fitted from R (effendi.R).
#   usage: bench/bench_effendi.sh [step] [fit]     needs the installed package for `fit`
# Tables with a hardware line: results/effendi_step.csv, results/effendi_fit.csv. Peak bytes: the engine counts its own
# (weights, moments and all); PyTorch's are resident memory above the process before the model.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
results=$here/results
mkdir -p "$results"
threads=${THREADS:-2}
export OMP_WAIT_POLICY=passive
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE || true
hardware=$("$here/hardware.sh")

step() {
  sh "$here/torch_venv.sh" "${VENV:-/tmp/venv-torch}" >&2
  python=${VENV:-/tmp/venv-torch}/bin/python
  data=$(mktemp)
  make -s -C "$top/tests/engine" SAN= OPT=-O2 build/gcc/bench_effendi >&2
  out=$results/effendi_step.csv
  echo "turn,engine_s,torch_s,time_ratio,engine_mb,torch_mb,memory_ratio,engine_loss,torch_loss,threads,hardware" >"$out"
  for turn in 1 2 3; do
    e=$(WRITE=$data "$top/tests/engine/build/gcc/bench_effendi" 128 1654 512 200 "$threads" 7 | tail -n 1)
    t=$("$python" "$here/peer_effendi_torch.py" "$data" --steps 200 --threads "$threads" --repeats 3)
    echo "$e,$t" | awk -F, -v turn=$turn -v threads="$threads" -v hardware="$hardware" '{
      printf "%d,%s,%s,%.4f,%.1f,%.1f,%.4f,%s,%s,%s,%s\n", turn, $9, $21, $9 / $21, $11 / 1048576, $23 / 1048576,
        $11 / $23, $12, $24, threads, hardware }' >>"$out"
  done
  rm -f "$data"
  cut -d, -f1-9 "$out"
}

fit() { Rscript "$here/effendi.R" "$results/effendi_fit.csv" "$hardware" "$threads"; }

for one in ${*:-step fit}; do
  case $one in
    step) step ;;
    fit) fit ;;
    *) echo "bench_effendi.sh: no benchmark called '$one'" >&2; exit 2 ;;
  esac
done
