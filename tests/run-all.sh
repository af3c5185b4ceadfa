#!/bin/sh
# run-all.sh: every test of the project, added up. Called by `make test`, from the top folder. Prints what each part
# says and how long it took, then a line "N passed, N failed"; exits 1 when anything failed. Parts can be chosen:
# run-all.sh engine r check (engine, tsan, r, parity, asan, check; all of them by default; quick: what
# `make test-quick` runs). Logs: .build/logs.
# Much of it can use one core only (vignettes, R CMD check), so parts run in two lanes side by side, each with half of the
# cores: see `lane` at the end.
set -u
R=${R:-R} RSCRIPT=${RSCRIPT:-Rscript} JOBS=${JOBS:-2}
top=$(pwd) half=$(((JOBS + 1) / 2))
[ -f DESCRIPTION ] || { echo "run-all.sh: call it from the folder that has DESCRIPTION" >&2; exit 2; }
logs=$top/.build/logs library=$top/.build/library package=$top/.build/package
mkdir -p "$logs" "$library"
passed=0 failed=0 failures=''
# Data that some tests read where they are; without them these are skipped.
[ ! -d ../shared/data ] || export CAUSEWAY_DATA="${CAUSEWAY_DATA:-$(cd ../shared/data && pwd)}"

# The package is compiled by R CMD build, INSTALL and BiocCheck alike: once is enough where there is ccache. R's code is
# compiled to bytes by INSTALL alone (R_COMPILE_PKGS=0 for the others); R CMD check looks at what INSTALL made.
if command -v ccache >/dev/null 2>&1 && [ -d /usr/lib/ccache ]; then
  export PATH="/usr/lib/ccache:$PATH" CCACHE_DIR="${CCACHE_DIR:-$top/.build/ccache}" CCACHE_NOHASHDIR=1
fi

# count NAME PASSED FAILED
count() {
  passed=$((passed + $2)) failed=$((failed + $3))
  [ "$3" -eq 0 ] || failures="$failures $1"
}
# one NAME CODE: a part that passes or fails as a whole
one() { if [ "$2" -eq 0 ]; then count "$1" 1 0; echo "-- $1: passed"; else count "$1" 0 1; echo "-- $1: FAILED"; fi; }
title() { echo; echo "==== $1 ($(date +%H:%M:%S)) ===="; }
# add_up NAME LOG CODE: the last line "... N passed, N failed" of a log; without one, or with a bad exit code, a failure
add_up() {
  line=$(grep -E '(^|[: ])[0-9]+ passed, [0-9]+ failed' "$2" | tail -n 1)
  p=$(echo "$line" | sed -n 's/.*\(^\|[: ]\)\([0-9][0-9]*\) passed.*/\2/p')
  f=$(echo "$line" | sed -n 's/.* \([0-9][0-9]*\) failed.*/\1/p')
  [ -n "$f" ] || { echo "$1 did not come to its end"; f=1; }
  [ "$3" -eq 0 ] || [ "$f" -gt 0 ] || f=1
  count "$1" "${p:-0}" "$f"
}

# engine_part NAME TARGET OPTION...: the engine's tests, built and run with make's options
engine_part() {
  name=$1 target=$2 log=$logs/$1.log
  shift 2
  if JOBS=$JOBS make -s -j"$JOBS" -C tests/engine "$target" "$@" >"$log" 2>&1; then code=0; else code=1; fi
  if grep -qE '^engine: ' "$log"; then sed -n '/^== /,$p' "$log"; else tail -n 40 "$log"; fi
  add_up "$name" "$log" $code
}

# gcc with the address sanitizer and clang with the thread sanitizer, each with its undefined-behaviour sanitizer: one
# finds what the other doesn't, and two builds are enough for all three.
engine() {
  title "engine, gcc, address and undefined-behaviour sanitizers"
  engine_part engine-gcc check CC=gcc
  for cc in gcc clang; do
    make -s -j"$JOBS" -C tests/engine glue CC=$cc SAN= OPT=-O1 >"$logs/glue-$cc.log" 2>&1
    code=$?
    cat "$logs/glue-$cc.log"
    one "glue-$cc" $code
  done
}

tsan() {
  title "engine, clang, thread and undefined-behaviour sanitizers"
  engine_part engine-threads tsan CC=clang SAN="-fsanitize=thread,undefined -fno-sanitize-recover=undefined"
}

# The tarball users get, with its vignettes (that they run is tested by this: the check does not run them again), unpacked
# and installed into a library of its own; its objects stay in $package/causeway/src. Without pandoc there are no vignettes in it, and the check is told so.
build() {
  title "R CMD build, R CMD INSTALL"
  rm -rf "$package" && mkdir -p "$package"
  if command -v pandoc >/dev/null 2>&1; then
    build_vignettes='' check_vignettes=--no-vignettes
  else
    echo "no pandoc: vignettes are left out"
    build_vignettes=--no-build-vignettes check_vignettes=--ignore-vignettes
  fi
  # shellcheck disable=SC2086  # none or one option
  (cd "$package" && R_COMPILE_PKGS=0 MAKEFLAGS=-j$JOBS $R CMD build $build_vignettes "$top") >"$logs/build.log" 2>&1
  code=$?
  [ $code -eq 0 ] || tail -n 20 "$logs/build.log"
  one "R-CMD-build" $code
  tarball=$(cd "$package" && ls causeway_*.tar.gz 2>/dev/null)
  [ -n "$tarball" ] || return 1
  tar -xzf "$package/$tarball" -C "$package" &&
    MAKEFLAGS=-j$JOBS $R CMD INSTALL --library="$library" "$package/causeway" >"$logs/install.log" 2>&1
  code=$?
  [ $code -eq 0 ] || tail -n 30 "$logs/install.log"
  one "R-CMD-INSTALL" $code
  return $code
}

# testthat_part NAME LIBRARY FILES: the files (names without test- and .R) against the package in LIBRARY, dealt to JOBS
# processes, the slowest first. One call for all of a process reads the helpers once, and what they make is made once.
# shellcheck disable=SC2016  # R's dollars
testthat_part() {
  name=$1 from=$2 code=0 pids=''
  : >"$logs/$name.log"
  i=0
  while [ $i -lt "$JOBS" ]; do
    mine=$(printf '%s\n' $3 | awk -v i=$i -v n="$JOBS" '(NR - 1) % n == i' | tr '\n' ' ')
    R_LIBS=$from $RSCRIPT -e '
      options(warn = 1)
      suppressPackageStartupMessages(library(causeway))
      Timed <- R6::R6Class("Timed", inherit = testthat::SummaryReporter, public = list(
          file = NULL, began = NULL,
          tell = function() if (length(self$file)) {
              took <- proc.time() - self$began
              cat(sprintf("\n-- %s: %.0f s (CPU %.0f s)\n", sub("^test-(.*)[.]R$", "\\1", self$file), took[[3L]],
                  sum(took[-3L])))
          },
          start_file = function(name) {
              self$tell()
              self$file <- name
              self$began <- proc.time()
              super$start_file(name)
          },
          end_reporter = function() {
              self$tell()
              super$end_reporter()
          }))
      files <- strsplit(commandArgs(TRUE), " ")[[1L]]
      result <- as.data.frame(testthat::test_dir("tests/testthat", sprintf("^(%s)$", paste(files, collapse = "|")),
          package = "causeway", load_package = "installed", stop_on_failure = FALSE,
          reporter = Timed$new(max_reports = 100)))
      lost <- files[!file.exists(sprintf("tests/testthat/test-%s.R", files))]
      if (length(lost)) cat("there is no test file of", lost, "\n")
      skipped <- sum(result$skipped)
      bad <- sum(result$failed) + sum(result$error) + length(lost)
      good <- sum(result$nb) - sum(result$failed) - skipped - sum(result$warning)
      if (skipped) cat("skipped:", unique(result$file[result$skipped]), "\n")
      cat(sprintf("testthat: %d passed, %d failed (%d skipped)\n", max(good, 0L), bad, skipped))
      quit(status = bad > 0)' "$mine" >"$logs/$name-$i.log" 2>&1 &
    pids="$pids $!"
    i=$((i + 1))
  done
  i=0
  for pid in $pids; do
    wait "$pid" || code=1
    cat "$logs/$name-$i.log" >>"$logs/$name.log"
    if grep -qE '^testthat: [0-9]+ passed, 0 failed' "$logs/$name-$i.log"; then tail -n 1 "$logs/$name-$i.log"
    else tail -n 60 "$logs/$name-$i.log"; fi
    add_up "$name-$i" "$logs/$name-$i.log" $code
    i=$((i + 1)) code=0
  done
}

# The tests' files, those of tests/slow.txt first; `quick`: without these
test_files() {
  slow=$(sed 's/#.*//' tests/slow.txt | awk 'NF { print $1 }')
  all=$(cd tests/testthat && ls test-*.R | sed 's/^test-//; s/\.R$//')
  [ "${1:-}" = quick ] || for f in $slow; do [ ! -f "tests/testthat/test-$f.R" ] || echo "$f"; done
  for f in $all; do echo "$slow" | grep -qxF "$f" || echo "$f"; done
}

r_tests() {
  title "testthat"
  testthat_part testthat "$library" "$(test_files)"
}

# What a change needs while working: one compiler, no sanitizer, the package as it lies here, without the slow files.
quick() {
  title "R CMD INSTALL, engine, gcc"
  MAKEFLAGS=-j$half $R CMD INSTALL --no-docs --no-test-load --library="$library" . >"$logs/install.log" 2>&1 &
  pid=$!
  engine_part engine-quick check CC=gcc SAN= OPT=-O1
  make -s -j"$JOBS" -C tests/engine glue CC=gcc SAN= OPT=-O1
  one glue $?
  wait $pid
  code=$?
  [ $code -eq 0 ] || tail -n 30 "$logs/install.log"
  one "R-CMD-INSTALL" $code
  [ $code -eq 0 ] || return
  title "testthat, without the slow files"
  testthat_part testthat "$library" "$(test_files quick)"
}

# The package with the sanitizers (the engine's objects are those of the part `engine`) and with R collecting its garbage
# at the engine's polls: memory that R or the engine has given back and the glue still uses shows. Leaks aren't looked for: R leaves much to the system at its end.
asan() {
  title "glue and engine inside R, address and undefined-behaviour sanitizers, collecting at polls"
  runtime=$(gcc -print-file-name=libasan.so)
  case $runtime in /*) ;; *) echo "no libasan here"; one asan 1; return ;; esac
  mkdir -p "$library-asan"
  engine=$top/tests/engine/build/gcc-san
  make -s -j"$JOBS" -C tests/engine lib CC=gcc >"$logs/engine-asan.log" 2>&1 ||
    { tail -n 30 "$logs/engine-asan.log"; one asan 1; return; }
  cat >.build/asan.mk <<MK
CC = gcc
CFLAGS = -g1 -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -DCW_COLLECT_AT_POLLS
LDFLAGS = -fsanitize=address,undefined
engine/%.o: engine/%.c
	cp $engine/\$*.o \$@
MK
  ASAN_OPTIONS=detect_leaks=0 R_MAKEVARS_USER=$top/.build/asan.mk MAKEFLAGS=-j$JOBS \
    $R CMD INSTALL --no-docs --no-test-load --no-byte-compile --library="$library-asan" "$package"/causeway_*.tar.gz \
    >"$logs/install-asan.log" 2>&1
  code=$?
  [ $code -eq 0 ] || { tail -n 30 "$logs/install-asan.log"; one asan 1; return; }
  files=$(sed 's/#.*//' tests/asan.txt | awk 'NF { print $1 }')
  (
    export ASAN_OPTIONS=detect_leaks=0:abort_on_error=0 LD_PRELOAD="$runtime" CW_COLLECT_AT_POLLS=yes
    testthat_part asan "$library-asan" "$files"
    echo "$passed $failed" >"$logs/asan.count"
  )
  read -r p f <"$logs/asan.count"
  passed=$p
  [ "$f" -eq "$failed" ] || failures="$failures asan"
  failed=$f
  if grep -l "ERROR: AddressSanitizer" "$logs"/asan-*.log; then one asan-report 1; fi
}

# By the objects that were installed.
parity() {
  title "golden values"
  if [ ! -d tests/fixtures ]; then echo "tests/fixtures is missing"; one parity 1; return; fi
  make -s parity FIXTURES=tests/fixtures OBJECTS="$package/causeway/src/engine" >"$logs/parity.log" 2>&1
  code=$?
  tail -n 80 "$logs/parity.log"
  add_up parity "$logs/parity.log" $code
}

# R CMD check of the package that INSTALL made (its log is read, too), without the tests (these ran against the same), and
# BiocCheck beside it: each takes one core.
check() {
  title "R CMD check, BiocCheck"
  bioccheck >"$logs/bioccheck.log" 2>&1 &
  pid=$!
  (cd "$package" && R_LIBS=$library _R_CHECK_FORCE_SUGGESTS_=false $R CMD check --library="$library" \
    --install=check:"$logs/install.log" --timings --no-manual --no-tests "$check_vignettes" "$tarball") >"$logs/check.log" 2>&1
  code=$?
  grep -E '(WARNING|ERROR|NOTE)$' "$logs/check.log"
  tail -n 4 "$logs/check.log"
  echo "examples of 2 s and more of CPU:"
  awk 'NR > 1 && $2 + $3 >= 2 { printf " %s %.0f", $1, $2 + $3 } END { print "" }' \
    "$package/causeway.Rcheck/causeway-Ex.timings"
  grep -qE '(WARNING|ERROR)$|^Status:.*(WARNING|ERROR)' "$logs/check.log" && code=1
  if [ $code -ne 0 ]; then # what it was, in full
    sed -n '/\(WARNING\|ERROR\)$/,/^\* checking/p' "$logs/check.log" | head -n 80
  fi
  one "R-CMD-check" $code
  wait $pid
  code=$?
  grep -E '^ *\* (ERROR|WARNING)|^BiocCheck: ' "$logs/bioccheck.log"
  [ $code -eq 0 ] || tail -n 30 "$logs/bioccheck.log"
  one BiocCheck $code
}

# shellcheck disable=SC2016  # R's dollars
bioccheck() {
  # BiocCheck asks the network which Bioconductor goes with this R and which packages there are; both are answered here
  cat >.build/bioconductor.yaml <<'YAML'
release_version: "3.16"
devel_version: "3.17"
r_ver_for_bioc_ver:
  "3.15": "4.2"
  "3.16": "4.2"
  "3.17": "4.3"
YAML
  mkdir -p .build/bioccheck && cp "$package/$tarball" .build/bioccheck
  cd .build/bioccheck && R_COMPILE_PKGS=0 MAKEFLAGS=-j$JOBS R_LIBS=$library \
    BIOCONDUCTOR_CONFIG_FILE=file://$top/.build/bioconductor.yaml $RSCRIPT -e '
    options(repos = c(CRAN = "file:///nowhere"))
    result <- BiocCheck::BiocCheck(commandArgs(TRUE),
        # these ask the network
        "no-check-deprecated" = TRUE, "no-check-R-ver" = TRUE, "no-check-version-num" = TRUE,
        "no-check-bioc-help" = TRUE, "no-check-CRAN" = TRUE)
    n <- length(result$error) + length(result$warning)
    cat(sprintf("BiocCheck: %d errors, %d warnings, %d notes\n", length(result$error), length(result$warning),
        length(result$note)))
    quit(status = n > 0)' "$tarball"
}

parts=${*:-engine tsan parity r asan check} package_lane=''
for part in $parts; do
  case $part in quick | engine | tsan | parity | r | asan | check) ;;
    *) echo "run-all.sh: no part is called '$part'" >&2; exit 2 ;;
  esac
done
# cpu: into `used` the seconds of CPU that this shell's children have had so far (a subshell would see its own)
cpu() {
  times >"$logs/times-$lane"
  used=$(awk 'NR == 2 { split($1 "m" $2, a, /[ms]+/); print int(a[1] * 60 + a[2] + a[3] * 60 + a[4]) }' "$logs/times-$lane")
}
# need_build: waits for the package that the lane of this name makes; fails when it couldn't be made
need_build() {
  while [ ! -f "$logs/built" ] && kill -0 "$package_lane" 2>/dev/null; do sleep 1; done
  [ "$(cat "$logs/built" 2>/dev/null)" = yes ]
}
run_part() {
  case $1 in
    quick | engine | tsan) $1 ;;
    build)
      answer=no
      build && answer=yes
      echo $answer >"$logs/built.new" && mv "$logs/built.new" "$logs/built"
      ;;
    parity | asan | check) if need_build; then $1; else one "$1" 1; fi ;;
    r) if need_build; then r_tests; else one testthat 1; fi ;;
  esac
}
# lane NAME PART...: those of the parts that were asked for, one after the other, each one's output as a whole at its end;
# what they add up to into $logs/lane-NAME
lane() {
  lane=$1 took=''
  shift
  for part; do
    case " $parts " in *" $part "*) ;; *) continue ;; esac
    started=$(date +%s)
    cpu
    before=$used
    run_part "$part" >"$logs/part-$part.log" 2>&1
    cat "$logs/part-$part.log"
    cpu
    took="$took, $part $(($(date +%s) - started)) s (CPU $((used - before)) s)"
  done
  printf '%s\n' "$passed" "$failed" "$failures" "$took" >"$logs/lane-$lane"
}
rm -f "$logs"/lane-* "$logs/built"
if [ "$parts" != quick ]; then
  case " $parts " in *" parity "* | *" r "* | *" asan "* | *" check "*) parts="build $parts" ;; esac
  JOBS=$half
fi
trap 'trap - INT TERM; kill 0; exit 130' INT TERM
lane package build r check &
package_lane=$!
(lane engine quick engine tsan parity asan)
wait
all_took=''
for l in engine package; do
  [ -f "$logs/lane-$l" ] || { one "lane-$l" 1; continue; }
  { read -r p; read -r f; read -r which; read -r took; } <"$logs/lane-$l"
  passed=$((passed + p)) failed=$((failed + f)) failures="$failures $which" all_took="$all_took$took"
done

echo
echo "took: ${all_took#, }"
[ "$failed" -eq 0 ] || echo "failed:$failures"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
