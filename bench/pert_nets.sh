#!/bin/sh
# pert_nets.sh [ROUNDS]: a training step of GEARS (Norman's size) and of CellOT (codes of 50), causeway and PyTorch in turn on
# the same weights, cells and threads. Lines: round, who, what, seconds per step (wall, processor), bytes above the process
# before the model, first and last loss. EVERY_CELL=0: GEARS as published, whose graph of co-expression informs the first cell.
# Needs bench/torch_venv.sh's Python in $TORCH (default /tmp/venv-torch/bin/python) and an installed causeway.
cd "$(dirname "$0")/.." || exit 1
ROUNDS=${1:-3} THREADS=${THREADS:-2} STEPS=${STEPS:-10}
TORCH=${TORCH:-/tmp/venv-torch/bin/python}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
export OMP_NUM_THREADS="$THREADS"
sh bench/hardware.sh
for what in ${WHAT:-gears cellot}; do
    n=$STEPS
    [ "$what" = cellot ] && n=$((STEPS * 55)) # whole rounds of 11
    Rscript bench/pert_nets.R "$what" "$WORK" 0 "$THREADS" write || exit 1
    for round in $(seq "$ROUNDS"); do
        echo "$round,$(Rscript bench/pert_nets.R "$what" "$WORK" "$n" "$THREADS")"
        echo "$round,$("$TORCH" bench/peer_pert_torch.py "$what" "$WORK" "$n" "$THREADS")"
    done
done
