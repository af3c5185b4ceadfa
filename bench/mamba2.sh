#!/bin/sh
# mamba2.sh [CELLS]: KCellFM's encoder (6 bidirectional layers of Mamba2, 512 wide, 16 heads of 64, states of 128, weights
# tied) on CELLS (4) cells of 1,200 tokens, beside the same sizes in PyTorch by both of the reference implementation's ways
# that need no GPU: chunks (mamba_ssm/modules/ssd_minimal.py) and token by token (Mamba2.step()). Random weights, same
# threads. Needs bench/torch_venv.sh's Python in $TORCH (default /tmp/venv-torch/bin/python) and an installed causeway.
cd "$(dirname "$0")/.." || exit 1
CELLS=${1:-4} THREADS=${THREADS:-2}
TORCH=${TORCH:-/tmp/venv-torch/bin/python}
export OMP_NUM_THREADS="$THREADS"
sh bench/hardware.sh
Rscript bench/mamba2.R "$CELLS" "$THREADS"
"$TORCH" bench/peer_mamba2_torch.py "$CELLS" "$THREADS"
