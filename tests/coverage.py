#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How much of each room the tests on the host execute: a table of lines and branches.

Everything is compiled once more, with clang's coverage of source code, and executed: the unit tests,
the fuzzers with the inputs that fuzzing has found worth keeping, and the two host programs by their
own suites. A line or branch counts as executed if any of them has executed it. The kernel and
libmicrokit need a processor at EL2: QEMU executes them, and nothing counts there. Files of which no
function is in any of the programs are named below the table, and are not in its figures.

    coverage.py --build DIR [--seconds N] [unit|unit/TEST|fuzz|fuzz/FUZZER|tools|tool]...
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Those of a directory in a directory come first.
ROOMS = ("lib", "vmm/virtio", "vmm", "switch", "block", "console", "turn", "drivers", "tools", "sdk/tool")
PARTS = ("unit", "fuzz", "tools", "tool")


def run(*command, **more):
    """Returns what the command has said. That it fails ends all, with its output."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          check=False, text=True, errors="replace", **more)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\ncoverage: {' '.join(words)[:100]}: status {done.returncode}")
    return done.stdout


# ---- Executing -------------------------------------------------------------------------------------

class Execution:
    """Runs parts, and knows then which programs have run and where their profiles are."""

    def __init__(self, options):
        self.build = pathlib.Path(options.build).resolve()
        self.out = self.build / "coverage"
        self.make = options.make
        self.seconds = options.seconds
        self.programs = []
        self.profiles = self.out / "profiles"
        shutil.rmtree(self.profiles, ignore_errors=True)
        self.profiles.mkdir(parents=True)
        # Processes of one program add to one profile.
        self.environment = {**os.environ, "COVERAGE": "1", "BUILD_DIR": str(self.out),
                            "PYTHONDONTWRITEBYTECODE": "1",
                            "LLVM_PROFILE_FILE": str(self.profiles / "%m.profraw")}

    def run_make(self, directory, *targets, build=None):
        run(self.make, f"-j{os.cpu_count() or 2}", "--no-print-directory", "-s", "-C", directory,
            f"BUILD_DIR={build or self.out}", *targets,
            env=os.environ if build else self.environment, stderr=subprocess.STDOUT)

    def unit(self, names):
        self.run_make("tests/unit", *(names or ["all"]))
        names = names or [path.stem for path in (ROOT / "tests/unit").glob("test_*.c")]
        self.programs += [self.out / "unit" / name for name in names]

    def fuzz(self, names):
        names = names or sorted(path.stem for path in (ROOT / "tests/fuzz").glob("fuzz_*.c"))
        if self.seconds > 0:
            self.run_make("tests/fuzz", f"SECONDS={self.seconds}", *names, build=self.build)
        self.run_make("tests/fuzz", *(self.out / "fuzz" / name for name in names))
        for name in names:
            corpus = self.build / "fuzz" / f"{name}.corpus"
            program = self.out / "fuzz" / name
            if not corpus.is_dir():
                sys.exit(f"coverage: {corpus} is not there: give --seconds, so that it is made")
            run(program, "-runs=0", "-verbosity=0", corpus, env=self.environment,
                stderr=subprocess.STDOUT)
            self.programs.append(program)

    def pytest(self, directory):
        run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", directory,
            env=self.environment, stderr=subprocess.STDOUT)

    def tools(self, _):
        self.pytest("tests/tools")
        self.programs.append(self.out / "check/tools/braid-gen")

    def tool(self, _):
        self.pytest("tests/tool")
        self.programs.append(self.out / "check/tool/microkit")


def execute(options):
    execution = Execution(options)
    wanted = collections.defaultdict(list)
    for word in options.parts or PARTS:
        part, _, name = word.partition("/")
        if part not in PARTS:
            sys.exit(f"coverage: there is no part '{part}': {', '.join(PARTS)}")
        wanted[part] += [name] if name else []

    def one(part):
        getattr(execution, part)(wanted[part])
        print(f"  RUN     {part}", flush=True)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(one, wanted))
    return execution


# ---- Evaluating ------------------------------------------------------------------------------------

def export(execution):
    """What LLVM says of all programs together."""
    merged = execution.out / "all.profdata"
    run("llvm-profdata", "merge", "-sparse", "-o", merged, *execution.profiles.glob("*.profraw"))
    first, *rest = execution.programs
    # LLVM warns of functions on which two programs do not agree: fakes, which no room has.
    objects = [word for program in rest for word in ("-object", program)]
    return json.loads(run("llvm-cov", "export", "-skip-functions", f"-instr-profile={merged}", first,
                          *objects, stderr=subprocess.DEVNULL))


class Counts:
    """Executed and all, of lines and branches."""

    def __init__(self):
        self.lines = collections.defaultdict(bool)
        self.branches = collections.defaultdict(bool)


def count_lines(segments, lines):
    """A segment, [line, column, count, has a count, begins a region, is a gap], holds up to the next.
    A line is executed as often as that which holds at its begin, or the most of those that begin in it."""
    by_line = collections.defaultdict(list)
    for segment in segments:
        by_line[segment[0]].append(segment)
    held = None
    for line in range(segments[0][0], segments[-1][0] + 1):
        begins = [segment for segment in by_line[line] if segment[3] and segment[4] and not segment[5]]
        skipped = by_line[line] and not by_line[line][0][3] and by_line[line][0][4]
        count = [segment[2] for segment in begins] + ([held[2]] if held and held[3] else [])
        if count and not skipped:
            lines[line] |= max(count) > 0
        held = by_line[line][-1] if by_line[line] else held


def room_of(name):
    return next((room for room in ROOMS if name.startswith(f"{room}/")), None)


def evaluate(exported):
    """Counts of each file, by its path from the root."""
    files = collections.defaultdict(Counts)
    for data in exported["data"]:
        for file in data["files"]:
            name = os.path.relpath(file["filename"], ROOT)
            if not file["segments"] or room_of(name) is None:
                continue
            count_lines(file["segments"], files[name].lines)
            for line, column, _, _, true, false, *_ in file["branches"]:
                files[name].branches[line, column, True] |= true > 0
                files[name].branches[line, column, False] |= false > 0
    return files


def figure(values):
    values = list(values)
    done = sum(values)
    return f"{done:6}/{len(values):<6} {100 * done / len(values):5.1f} %" if values else f"{'-':>21}"


def print_table(files):
    rooms = collections.defaultdict(list)
    for name in sorted(files):
        rooms[room_of(name)].append(files[name])
    print(f"\n{'room':12} {'lines':^21}       branches")
    rooms["all"] = list(files.values())
    for room in (*ROOMS, "all"):
        counts = rooms.get(room)
        if counts:
            print(f"{room:12} {figure(v for c in counts for v in c.lines.values())} "
                  f"{figure(v for c in counts for v in c.branches.values())}")
    sources = sorted({str(path.relative_to(ROOT)) for room in ROOMS
                      for path in (ROOT / room).rglob("*.c")})
    missing = collections.defaultdict(list)
    for name in sources:
        if name not in files and room_of(name) in rooms:
            missing[room_of(name)].append(os.path.relpath(name, room_of(name)))
    for room, names in missing.items():
        print(f"{room}: no function of: {' '.join(names)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--make", default="make")
    parser.add_argument("--seconds", type=int, default=10,
                        help="to fuzz beforehand with each fuzzer; 0: with the inputs there are")
    parser.add_argument("parts", nargs="*")
    options = parser.parse_args()
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        os.environ.pop(name, None)
    execution = execute(options)
    print_table(evaluate(export(execution)))


if __name__ == "__main__":
    main()
