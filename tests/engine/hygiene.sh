#!/bin/sh
# hygiene.sh: what may not be in the engine. Run from anywhere: sh tests/engine/hygiene.sh [ENGINE].
# No R header; no abort, exit, printing or the C library's random numbers; no layer that includes one above it; and no R
# function that is defined twice.
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
layers="core linalg io kernels autodiff nn models train stats tau sim"
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
# In R the last definition of a name silently wins.
twice=$(sed -n 's/^\(\.\{0,1\}[A-Za-z][A-Za-z0-9._]*\) <- function.*/\1/p' ../../R/*.R 2>/dev/null | sort | uniq -d)
if [ -z "$twice" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL functions defined twice in R/:" $twice; fi

others=$(find "$engine" -mindepth 1 -maxdepth 1 | grep -Ev "/($(echo $layers | tr ' ' '|'))\$")
if [ -z "$others" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL in no layer: $others"; fi

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
