#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Run one fuzzer: run.sh PROGRAM SECONDS. Prints a line, with how many of the program's edges have been
# taken, and everything the fuzzer has said where it has found something; leaves "PASSED FAILED" in
# PROGRAM.result, and in PROGRAM.corpus the inputs to begin with the next time: those of corpus/ here,
# and what was found since.
#
# An input takes a millisecond at most; one that takes a minute, however busy the host, never ends.
program=$1 seconds=$2
name=$(basename "$program")

kept=$(dirname "$0")/corpus/$name.tar.gz

mkdir -p "$program.corpus"
if [ -e "$kept" ]; then
    tar -xzf "$kept" -C "$program.corpus"
fi
if timeout $((seconds + 1800)) "$program" -max_total_time="$seconds" -timeout=300 \
        -print_final_stats=1 -artifact_prefix="$program-" "$program.corpus" >"$program.log" 2>&1 &&
        inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$program.log") &&
        [ "${inputs:-0}" -gt 0 ]; then
    echo "1 0" >"$program.result"
    taken=$(sed -n 's/.*cov: \([0-9]*\) .*/\1/p' "$program.log" | tail -n 1)
    edges=$(sed -n 's/.*Loaded 1 modules *(\([0-9]*\) .*/\1/p' "$program.log")
    echo "  ok      $name: $inputs inputs, $taken of $edges edges"
else
    echo "0 1" >"$program.result"
    cat "$program.log"
    echo "  FAILED  $name"
fi
