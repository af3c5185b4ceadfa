#!/bin/sh
# run-tests.sh: runs each test program, prints what it prints, adds up; exits 1 if any failed or did not end properly.
passed=0 failed=0
for t in "$@"; do
  echo "== $(basename "$t")"
  case $t in *.sh) out=$(sh "$t" 2>&1) ;; *) out=$("$t" 2>&1) ;; esac
  code=$?
  echo "$out"
  line=$(echo "$out" | grep -E '^[0-9]+ passed, [0-9]+ failed$' | tail -n 1)
  p=$(echo "$line" | cut -d' ' -f1); f=$(echo "$line" | cut -d' ' -f3)
  passed=$((passed + ${p:-0})); failed=$((failed + ${f:-1}))
  if [ $code -ne 0 ] && [ "${f:-1}" = 0 ]; then failed=$((failed + 1)); echo "FAIL $(basename "$t"): exit $code"; fi
done
echo "engine: $passed passed, $failed failed"
[ $failed -eq 0 ]
