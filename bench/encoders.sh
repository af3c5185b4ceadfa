#!/bin/sh
# encoders.sh [CELLS] [PEAKS]: scGPT (512 wide, 12 layers, 1,200 genes) on CELLS (32) cells and HyenaDNA (256 wide, 2 blocks) on
# PEAKS (500) peaks of 500 bases: time and peak memory of causeway and of PyTorch (same sizes, random weights, same threads).
# CellFM: a slice of 2 layers (1,536 wide, 48 heads) on CELLS / 8 cells of 2,048 genes, and a training step on 2 of them.
# BERT-base on 1,000 names of 8 tokens, with the same weights (written to $BERT, default /tmp/bench-bert).
# Needs bench/torch_venv.sh's Python in $TORCH (default /tmp/venv-torch/bin/python) and an installed causeway.
cd "$(dirname "$0")/.." || exit 1
CELLS=${1:-32} PEAKS=${2:-500} THREADS=${THREADS:-2}
TORCH=${TORCH:-/tmp/venv-torch/bin/python}
export OMP_NUM_THREADS="$THREADS"
sh bench/hardware.sh
BERT=${BERT:-/tmp/bench-bert}
[ -f "$BERT/vocab.txt" ] || "$TORCH" bench/peer_encoders_torch.py 1 1 1 write "$BERT"
Rscript bench/encoders.R "$CELLS" "$PEAKS" "$THREADS" "$BERT"
"$TORCH" bench/peer_encoders_torch.py "$CELLS" "$PEAKS" "$THREADS"
