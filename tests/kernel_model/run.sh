#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Run one of the model's programs: run.sh PROGRAM ARGUMENT... Shows a line per part, and the steps to
# what has failed. Leaves "PASSED FAILED" in PROGRAM.result.
program=$1
shift
log=$program.log

"$program" "$@" >"$log" 2>&1
status=$?

cat "$log"
passed=$(grep -c '^  ok ' "$log")
failed=0
if [ $status -ne 0 ]; then
    failed=1
    grep -q '^  FAILED ' "$log" || echo "  FAILED  $(basename "$program"): status $status"
elif [ "$passed" -eq 0 ]; then
    failed=1
    echo "  FAILED  $(basename "$program"): ran nothing"
fi
echo "$passed $failed" >"$program.result"
