#!/bin/sh
# hygiene.sh: what may not be in the engine and in R/. Run from anywhere: sh tests/engine/hygiene.sh [ENGINE].
# No R header; no abort, exit, printing or the C library's random numbers; no layer that includes one above it. And what
# holds for the files of R/.
cd "$(dirname "$0")" || exit 1
engine=${1:-../../src/engine}
passed=0 failed=0

files=$(find "$engine" -type f \( -name '*.c' -o -name '*.h' -o -name '*.inc' -o -name '*.cu' \) | sort)
[ -n "$files" ] || { echo "FAIL no sources in $engine"; echo "0 passed, 1 failed"; exit 1; }

# The code without comments and string literals, as FILE:LINE:TEXT, so that words in a comment are no offence.
code=$(awk '
  FNR == 1 { inside = 0 }
  {
    text = $0; out = ""
    if (text !~ /^[ \t]*#[ \t]*include/) gsub(/"([^"\\]|\\.)*"/, "\"\"", text)
    while (length(text)) {
      if (inside) {
        i = index(text, "*/")
        if (!i) break
        text = substr(text, i + 2); inside = 0
        continue
      }
      i = index(text, "/*"); j = index(text, "//")
      if (j && (!i || j < i)) { out = out substr(text, 1, j - 1); break }
      if (!i) { out = out text; break }
      out = out substr(text, 1, i - 1); text = substr(text, i + 2); inside = 1
    }
    print FILENAME ":" FNR ":" out
  }' $files)

# $1: what it is about; $2: an extended regular expression that no line of code may match
forbid() {
  hits=$(printf '%s\n' "$code" | grep -E "^[^:]*:[0-9]+:.*($2)")
  if [ -z "$hits" ]; then passed=$((passed + 1)); return; fi
  failed=$((failed + 1))
  echo "FAIL $1:"
  printf '%s\n' "$hits"
}
word='(^|[^A-Za-z0-9_])'
forbid "R headers" '#[ \t]*include[ \t]*[<"]((R|Rinternals|Rmath|Rdefines|Rconfig|Rversion|S)\.h|R_ext/)'
forbid "R's names" "$word(SEXP|Rf_[a-zA-Z]+|R_[A-Z][A-Za-z]+|Rprintf|REprintf)([^A-Za-z0-9_]|\$)"
forbid "glue included" '#[ \t]*include.*glue'
forbid "abort" "$word(abort|__builtin_trap|raise|assert)[ \t]*\("
forbid "exit" "$word(exit|_exit|_Exit|quick_exit|atexit)[ \t]*\("
forbid "printing" "$word(printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror)[ \t]*\("
forbid "unbounded strings" "$word(sprintf|vsprintf|strcat|gets)[ \t]*\("
forbid "stdout and stderr" "$word(stdout|stderr)([^A-Za-z0-9_]|\$)"
forbid "the C library's random numbers" "$word(rand|srand|random|srandom|drand48|rand_r)[ \t]*\("
forbid "setjmp" "$word(setjmp|longjmp|_setjmp|siglongjmp)[ \t]*\("

# A file of a layer includes only its own layer and those that stand before it; glue is none of them.
layers="core linalg io kernels autodiff nn models train stats tau pert sim"
below=""
for layer in $layers; do
  below="$below $layer"
  hits=""
  for f in $(printf '%s\n' $files | grep "^$engine/$layer/"); do
    for inc in $(sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$f"); do
      dir=$(cd "$(dirname "$f")/$(dirname "$inc")" 2>/dev/null && pwd) ||
        dir=$(cd "$engine/$(dirname "$inc")" 2>/dev/null && pwd)
      of=${dir#"$(cd "$engine" && pwd)"/}
      of=${of%%/*}
      case " $below " in *" $of "*) ;; *) hits="$hits
$f includes $inc" ;; esac
    done
  done
  if [ -z "$hits" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL layer $layer:$hits"; fi
done
# $1: what it is about; $2: those that offend, a line each or none
say() {
  if [ -z "$2" ]; then passed=$((passed + 1)); return; fi
  failed=$((failed + 1))
  printf 'FAIL %s:\n%s\n' "$1" "$2"
}

# ---- R/, where there is one ----
# Files are named by prefix, have at most 500 lines and a test of their name. The others of tests/testthat ask the package
# as a whole. Only input-*.R ask for the class of the cells: everything else takes what these return.
r=../../R tests=../testthat
if [ -d $r ]; then
  prefixes="input preprocess model grn tau plot report sim util embed annotate cells perturb pert"
  free="AllClasses AllGenerics causeway-package zzz"
  whole="badinput collect demo-data newcomer norman-reverse parity pipeline threads"
  names=$(cd $r && ls ./*.R | sed 's|^\./||; s/\.R$//')
  ours=$(printf '%s\n' $names | grep -vxE "$(echo $free | tr ' ' '|')")
  say "R files without a prefix of ($prefixes)" \
    "$(printf '%s\n' $ours | grep -vE "^($(echo $prefixes | tr ' ' '|'))(-[a-z0-9]+)+\$")"
  say "R files of more than 500 lines" "$(wc -l $r/*.R |
    awk '$2 != "total" && $1 > 500 { print $2, $1 }')"
  say "R files without a test of their name" \
    "$(for n in $ours; do [ -f "$tests/test-$n.R" ] || echo "$n"; done)"
  say "tests of no R file" "$(cd $tests && ls test-*.R | sed 's/^test-//; s/\.R$//' |
    grep -vxF "$(printf '%s\n' $names $whole)")"
  # R CMD INSTALL reads what Collate lists, in its order.
  say "files of R/ against Collate of DESCRIPTION (make collate)" "$(
    { printf '%s.R\n' $names; sed -n "s/^  *'\(.*\.R\)'\$/\1/p" ../../DESCRIPTION; } | sort | uniq -u)"
  # In R the last definition of a name silently wins.
  say "names defined twice in R/" \
    "$(sed -n 's/^\(\.\{0,1\}[A-Za-z][A-Za-z0-9._]*\) <- .*/\1/p' $r/*.R | sort | uniq -d)"
  say "unlink(), which takes [ ] ? * for patterns, in place of .removeFile()" \
    "$(grep -nE '(^|[^A-Za-z0-9._])unlink\(' $r/*.R | grep -vE ":#'|^$r/util-files")"
  say "factor(x), whose order the locale decides, in place of .asFactor(x)" \
    "$(grep -nE '(^|[^A-Za-z0-9._])(as\.)?factor\([^(),]*(\[[^]]*\])?\)' $r/*.R | grep -vE ":#'|^$r/util-order")"
  containers="SummarizedExperiment|SingleCellExperiment|SpatialExperiment|Seurat|MultiAssayExperiment|dgCMatrix"
  say "classes of cells asked for outside input-*.R" "$(grep -nE \
    "(is|inherits)\(x, *\"($containers|Matrix|matrix|DelayedArray|DelayedMatrix|IterableMatrix)\"" $r/*.R |
    grep -v "^$r/input-")"
fi

others=$(find "$engine" -mindepth 1 -maxdepth 1 | grep -Ev "/($(echo $layers | tr ' ' '|'))\$")
if [ -z "$others" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL in no layer: $others"; fi

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
