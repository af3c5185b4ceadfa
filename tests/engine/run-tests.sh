#!/bin/sh
# run-tests.sh: runs each test program, JOBS at a time (2), prints what each prints and the time it took, adds up; exits 1
# if any failed or did not end properly.
work=$(mktemp -d "${TMPDIR:-/tmp}/cw-tests.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
export work
# shellcheck disable=SC2016  # expanded by the inner shell
printf '%s\n' "$@" | xargs -P "${JOBS:-2}" -I '{}' sh -c '
  name=$(basename "$1") start=$(date +%s)
  case $1 in *.sh) sh "$1" ;; *) "$1" ;; esac >"$work/$name.out" 2>&1
  echo $? >"$work/$name.code"
  times >"$work/$name.times"
  cpu=$(awk '"'"'NR == 2 { split($1 "m" $2, a, /[ms]+/); print int(a[1] * 60 + a[2] + a[3] * 60 + a[4] + .5) }'"'"' "$work/$name.times")
  echo "$(($(date +%s) - start)) s, CPU $cpu s" >"$work/$name.time"' sh '{}'
passed=0 failed=0
for t in "$@"; do
  name=$(basename "$t")
  echo "== $name ($(cat "$work/$name.time"))"
  cat "$work/$name.out"
  code=$(cat "$work/$name.code")
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$work/$name.out" | tail -n 1)
  p=$(echo "$line" | cut -d' ' -f1); f=$(echo "$line" | cut -d' ' -f3)
  passed=$((passed + ${p:-0})); failed=$((failed + ${f:-1}))
  if [ "$code" -ne 0 ] && [ "${f:-1}" = 0 ]; then failed=$((failed + 1)); echo "FAIL $name: exit $code"; fi
done
echo "engine: $passed passed, $failed failed"
[ $failed -eq 0 ]
