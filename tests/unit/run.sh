#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Run one unit test program: run.sh PROGRAM LOG RESULT. Prints a line per test, the whole log where
# one fails, and leaves "PASSED FAILED" in RESULT. A program that dies counts as one more failure.
program=$1 log=$2 result=$3
name=$(basename "$program")

CMOCKA_MESSAGE_OUTPUT=TAP timeout 1200 "$program" >"$log" 2>&1
status=$?

passed=$(grep -c '^ok ' "$log")
failed=$(grep -c '^not ok ' "$log")
if [ $status -ne 0 ] && [ "$failed" -eq 0 ]; then
    failed=1
    echo "not ok - ended with status $status" >>"$log"
fi
if [ "$passed" -eq 0 ] && [ "$failed" -eq 0 ]; then
    failed=1
    echo "not ok - ran no tests" >>"$log"
fi
echo "$passed $failed" >"$result"

[ "$failed" -eq 0 ] || cat "$log"
sed -n "s/^ok [0-9]* *-* */  ok      $name: /p; s/^not ok [0-9]* *-* */  FAILED  $name: /p" "$log"
