#!/bin/sh
# weights.sh [SECONDS [TARGET...]]: weights (safetensors; PyTorch's and MindSpore's archives) and tables (CSV, vocabularies,
# relations, texts) under libFuzzer, each for so long, from the shared checkpoints and small files made here. A crash, a
# leak or more memory than allowed ends it with its report.
cd "$(dirname "$0")/../engine" || exit 1
seconds=${1:-60}
[ $# -gt 0 ] && shift
targets=${*:-safetensors archive tables}
out=${TMPDIR:-/tmp}/causeway-fuzz-weights
longest=40000
. ../fuzz/run.sh
for what in $targets; do mkdir -p "$out/$what"; done
seeds() { # seeds TARGET PATTERN: shared files of up to 20 kB
  find ../../../shared/data/07_checkpoints ../../../shared/fixtures -type f -size -40 -name "$2" 2>/dev/null |
    while read -r f; do cp "$f" "$out/$1/$(echo "$f" | tr -c 'a-zA-Z0-9.\n' _)"; done
}
io() { for f in "$@"; do echo "$engine/io/$f.c"; done; }
for what in $targets; do
  # shellcheck disable=SC2046
  case $what in
    safetensors)
      one_tensor "$out/safetensors/one" \
        '{"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
      seeds safetensors '*.safetensors'
      run safetensors $engine/core/core.c $engine/core/settings.c $(io json safetensors mapped place) ;;
    archive)
      for kind in '*.pt' '*.pth' '*.bin' '*.ckpt' '*.safetensors'; do seeds archive "$kind"; done
      run archive $engine/core/core.c $engine/core/settings.c \
        $(io archive torch mindspore pickle zip mapped safetensors json place) ;;
    tables)
      printf 'TF,Gene\n"a ""b"",c",d\r\n\nx,y\n' >"$out/tables/csv"
      printf '[{"token_index": 0, "gene_symbol": null, "gene_id": "<pad>"}, {"token_index": 1, "gene_symbol": "A"}]' >"$out/tables/vocab"
      printf 'T cell is_a cell\nb exact_synonyms B  cell\n' >"$out/tables/relations"
      printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\nna\303\257ve\n##t\n' >"$out/tables/pieces"
      seeds tables 'vocab*'
      run tables $engine/core/core.c $engine/core/settings.c \
        $(io csv json vocab relations unicode wordpiece mapped place) ;;
    *) echo "no such target: $what" >&2; exit 1 ;;
  esac
done
