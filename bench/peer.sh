#!/bin/sh
# Runs the PyTorch peer: both modes, each in a fresh process, as PyTorch comes and with MKL's AVX-512 kernels on AMD.
# Usage: bench/peer.sh [THREADS] [CASE_DIR]. One JSON line per run on stdout. VENV names the virtual environment.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
threads=${1:-2}
case_dir=${2:-/tmp/sfm_bench_case}
python=${VENV:-/tmp/venv-torch}/bin/python
peer=$here/peer_sfm_torch.py
"$here/torch_venv.sh" "${VENV:-/tmp/venv-torch}" >&2
[ -f "$case_dir/case.safetensors" ] || "$python" "$peer" --write-package "$case_dir" --expect >&2
for mode in infer train; do
    "$python" "$peer" --bench "$mode" --case "$case_dir" --threads "$threads"
    if grep -q AuthenticAMD /proc/cpuinfo; then
        "$python" "$peer" --bench "$mode" --case "$case_dir" --threads "$threads" --mkl-as-intel
    fi
done
