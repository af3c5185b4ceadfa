#!/bin/sh
# Makes the virtual environment of the PyTorch peer. Usage: bench/torch_venv.sh [DIR]
# PyPI's x86-64 wheel of torch needs its CUDA libraries to import even on a machine without a GPU: about 7 GB on disk.
set -eu
dir=${1:-/tmp/venv-torch}
version=${TORCH_VERSION:-2.9.1}
if [ -f "$dir/READY" ]; then
    echo "$dir is ready"
    exit 0
fi
python3 -m venv "$dir"
"$dir/bin/pip" install -q "torch==$version" numpy safetensors
"$dir/bin/python" -c 'import torch, numpy, safetensors; print("torch", torch.__version__)'
: > "$dir/READY"
