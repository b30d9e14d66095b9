#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Run one fuzzer: run.sh PROGRAM SECONDS. Prints a line, and everything the fuzzer has said where it
# has found something; leaves "PASSED FAILED" in PROGRAM.result, and in PROGRAM.corpus the inputs to
# begin with the next time.
#
# An input takes a millisecond at most; one that takes a minute, however busy the host, never ends.
program=$1 seconds=$2
name=$(basename "$program")

mkdir -p "$program.corpus"
if timeout $((seconds + 1800)) "$program" -max_total_time="$seconds" -timeout=300 -verbosity=0 \
        -print_final_stats=1 -artifact_prefix="$program-" "$program.corpus" >"$program.log" 2>&1 &&
        inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$program.log") &&
        [ "${inputs:-0}" -gt 0 ]; then
    echo "1 0" >"$program.result"
    echo "  ok      $name: $inputs inputs"
else
    echo "0 1" >"$program.result"
    cat "$program.log"
    echo "  FAILED  $name"
fi
