#!/bin/sh
# run-all.sh: every test of the project, added up. Called by `make test`, from the top folder. Prints what each part
# says, then a line "N passed, N failed"; exits 1 when anything failed. Parts can be chosen: run-all.sh engine r check
# (engine, r, parity, check, bioccheck; all of them by default). Logs: .build/logs.
set -u
R=${R:-R} RSCRIPT=${RSCRIPT:-Rscript} JOBS=${JOBS:-2}
top=$(pwd)
[ -f DESCRIPTION ] || { echo "run-all.sh: call it from the folder that has DESCRIPTION" >&2; exit 2; }
logs=$top/.build/logs library=$top/.build/library package=$top/.build/package
mkdir -p "$logs" "$library"
passed=0 failed=0 failures=''

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

engine() {
  for cc in gcc clang; do
    title "engine, $cc, address and undefined-behaviour sanitizers"
    log=$logs/engine-$cc.log
    if make -s -j"$JOBS" -C tests/engine CC=$cc >"$log" 2>&1; then code=0; else code=1; fi
    if grep -qE '^engine: ' "$log"; then sed -n '/^== /,$p' "$log"; else tail -n 40 "$log"; fi
    add_up "engine-$cc" "$log" $code
  done
}

# The tarball users get, with its vignettes (that they run is tested by this: the check does not run them again), and
# installed into a library of its own. Without pandoc there are no vignettes in it, and the check is told so.
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
  (cd "$package" && MAKEFLAGS=-j$JOBS $R CMD build $build_vignettes "$top") >"$logs/build.log" 2>&1
  code=$?
  [ $code -eq 0 ] || tail -n 20 "$logs/build.log"
  one "R-CMD-build" $code
  tarball=$(ls "$package"/causeway_*.tar.gz 2>/dev/null)
  [ -n "$tarball" ] || return 1
  MAKEFLAGS=-j$JOBS $R CMD INSTALL --library="$library" "$tarball" >"$logs/install.log" 2>&1
  code=$?
  [ $code -eq 0 ] || tail -n 30 "$logs/install.log"
  one "R-CMD-INSTALL" $code
  return $code
}

# shellcheck disable=SC2016  # R's dollars
r_tests() {
  title "testthat"
  R_LIBS=$library $RSCRIPT -e '
    options(warn = 1)
    library(causeway)
    result <- as.data.frame(testthat::test_dir("tests/testthat", package = "causeway", load_package = "installed",
        reporter = testthat::SummaryReporter$new(max_reports = 100), stop_on_failure = FALSE))
    bad <- sum(result$failed) + sum(result$error)
    good <- sum(result$nb) - sum(result$failed) - sum(result$skipped) - sum(result$warning)
    cat(sprintf("testthat: %d passed, %d failed (%d skipped)\n", max(good, 0L), bad, sum(result$skipped)))
    quit(status = bad > 0)' >"$logs/testthat.log" 2>&1
  code=$?
  tail -n 60 "$logs/testthat.log"
  add_up testthat "$logs/testthat.log" $code
}

parity() {
  title "golden values"
  if [ ! -d tests/fixtures ]; then echo "tests/fixtures is missing"; one parity 1; return; fi
  make -s parity FIXTURES=tests/fixtures >"$logs/parity.log" 2>&1
  code=$?
  tail -n 80 "$logs/parity.log"
  add_up parity "$logs/parity.log" $code
}

check() {
  title "R CMD check"
  (cd "$package" && R_LIBS=$library _R_CHECK_FORCE_SUGGESTS_=false MAKEFLAGS=-j$JOBS \
    $R CMD check --no-manual "$check_vignettes" "$(basename "$tarball")") >"$logs/check.log" 2>&1
  code=$?
  grep -E '(WARNING|ERROR|NOTE)$' "$logs/check.log"
  tail -n 4 "$logs/check.log"
  grep -qE '(WARNING|ERROR)$|^Status:.*(WARNING|ERROR)' "$logs/check.log" && code=1
  if [ $code -ne 0 ]; then # what it was, in full
    sed -n '/\(WARNING\|ERROR\)$/,/^\* checking/p' "$logs/check.log" | head -n 80
  fi
  one "R-CMD-check" $code
}

# shellcheck disable=SC2016  # R's dollars
bioccheck() {
  title "BiocCheck"
  # BiocCheck asks the network which Bioconductor goes with this R and which packages there are; both are answered here
  cat >.build/bioconductor.yaml <<'YAML'
release_version: "3.16"
devel_version: "3.17"
r_ver_for_bioc_ver:
  "3.15": "4.2"
  "3.16": "4.2"
  "3.17": "4.3"
YAML
  (cd "$package" && R_LIBS=$library BIOCONDUCTOR_CONFIG_FILE=file://$top/.build/bioconductor.yaml \
    $RSCRIPT -e '
    options(repos = c(CRAN = "file:///nowhere"))
    result <- BiocCheck::BiocCheck(commandArgs(TRUE),
        # these ask the network
        "no-check-deprecated" = TRUE, "no-check-R-ver" = TRUE, "no-check-version-num" = TRUE,
        "no-check-bioc-help" = TRUE, "no-check-CRAN" = TRUE)
    n <- length(result$error) + length(result$warning)
    cat(sprintf("BiocCheck: %d errors, %d warnings, %d notes\n", length(result$error), length(result$warning),
        length(result$note)))
    quit(status = n > 0)' "$(basename "$tarball")") >"$logs/bioccheck.log" 2>&1
  code=$?
  grep -E '^ *\* (ERROR|WARNING)|^BiocCheck: ' "$logs/bioccheck.log"
  [ $code -eq 0 ] || tail -n 30 "$logs/bioccheck.log"
  one BiocCheck $code
}

parts=${*:-engine r parity check bioccheck}
built=''
need_build() { [ -n "$built" ] || { built=no; build && built=yes; }; [ "$built" = yes ]; }
for part in $parts; do
  case $part in
    engine) engine ;;
    parity) parity ;;
    r) if need_build; then r_tests; else one testthat 1; fi ;;
    check) if need_build; then check; else one "R-CMD-check" 1; fi ;;
    bioccheck) if need_build; then bioccheck; else one BiocCheck 1; fi ;;
    *) echo "run-all.sh: no part is called '$part'" >&2; exit 2 ;;
  esac
done

echo
[ -z "$failures" ] || echo "failed:$failures"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
