#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Prove that the code which takes what a hostile party may write has no run-time errors, by Frama-C.

Each NAME.c beside this file is a driver: it includes the sources under proof and, for Eva, has a main()
that calls them with any argument and in any state. Its first comment says what it is for:

    PROVES: lib/ring.c             sources whose functions it covers
    ONLY: classify pop_tag         if not all of their functions are meant: these
    EVA: -eva-option=value         by abstract interpretation, with these options besides the usual ones
    WP: ring_read ring_write       by weakest preconditions, these functions against their contracts
    CHECK: -warn-unsigned-overflow more of what may not happen, as Frama-C calls it
    LONG: yes                      it takes longest, so it begins first
    COVERAGE: 99                   of Eva: how many of the sources' statements are reached at least, in
                                   per cent; 100 if it is not given. What is not reached is dead code

With both, Eva shows that there are no errors, and WP what contracts promise and Eva cannot. Several
drivers may share a source: together they cover each of its functions. A proof fails if a property is
not proved, if too little is reached, or if it relies on something without a comment that says why:
ASSUME(...), an axiom, the contract of a function without a body, or -eva-use-spec need one with the word
`Assumption:` right above. What a contract by WP alone requires is for the function's callers.

    prove.py [--build DIR] [NAME]...
"""

import argparse
import concurrent.futures
import csv
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
JOBS = 2
SECONDS = 600  # for one driver, however slow the machine is
# As the target's: LP64, little-endian, gcc's. The headers of Linux are the target's.
COMMON = ["-machdep", "gcc_x86_64", "-c11",
          "-cpp-extra-args=-I. -Itests/prove -Itests/unit/fake -Isdk/libmicrokit/include "
          "-idirafter /usr/aarch64-linux-gnu/include"]
EVA = ["-eva", "-eva-precision=1", "-eva-split-return=auto", "-eva-msg-key=-initial-state,-final-states"]
WP = ["-wp", "-wp-model=Typed+Cast", "-wp-prover=cvc4", "-wp-par=1",
      f"-wp-timeout={os.environ.get('PROOF_SECONDS') or 120}"]  # for one goal
PROVED = ("Valid", "Considered valid", "Dead", "Unreachable")
FUNCTION = re.compile(r"^[a-z][\w *]*?\b(\w+)\([^;{}]*\)\n\{", re.M)
STATEMENTS = re.compile(r"^ *(\w+): (\d+) stmts out of (\d+)", re.M)
GOALS = re.compile(r"Proved goals: *(\d+) / (\d+)")


class Driver:
    """One proof, and what has become of it."""

    def __init__(self, path, build):
        self.path = path
        self.name = path.stem
        self.log = build / f"{self.name}.log"
        self.csv = build / f"{self.name}.csv"
        self.faults = []
        self.covered = set()
        self.properties = 0
        self.alarms = 0
        self.reached = None
        self.seconds = 0.0
        comment = path.read_text().split("*/")[1]
        self.sources = self.words(comment, "PROVES")
        self.eva = "EVA:" in comment
        self.options = self.words(comment, "EVA")
        self.only = set(self.words(comment, "ONLY"))
        self.believed = [name for word in self.options if word.startswith("-eva-use-spec=")
                         for name in word.partition("=")[2].split(",")]
        self.contracts = self.words(comment, "WP")
        self.checks = self.words(comment, "CHECK")
        self.long = bool(self.words(comment, "LONG"))
        self.coverage = float((self.words(comment, "COVERAGE") or ["100"])[0])

    @staticmethod
    def words(comment, key):
        return [word for line in re.findall(rf"\b{key}: *(.*)", comment) for word in line.split()]

    def command(self):
        words = ["frama-c", *COMMON, *self.checks]
        if self.eva:
            words += [*EVA, *self.options, str(self.path), "-then", "-metrics", "-metrics-eva-cover"]
        if self.contracts:
            words += ["-then", *WP] if self.eva else [*WP, "-wp-rte", str(self.path)]
            words += [f"-wp-fct={','.join(self.contracts)}"]
        return [*words, "-then", f"-report-csv={self.csv}"]

    def prove(self):
        """Run it; what is wrong goes to `faults`."""
        self.csv.unlink(missing_ok=True)
        begin = time.monotonic()
        try:
            done = subprocess.run(self.command(), cwd=ROOT, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors="replace", timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            self.faults.append(f"not done after {SECONDS} s")
            return self
        self.log.write_text(done.stdout)
        if done.returncode != 0 or not self.csv.exists():
            self.faults.append(f"frama-c: status {done.returncode}; see {self.log}")
            return self
        self.look_at_properties()
        self.look_at_functions(done.stdout)
        self.seconds = time.monotonic() - begin
        return self

    # ---- Properties ----

    def look_at_properties(self):
        with open(self.csv, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        for row in rows:
            # Eva does not prove what a result is made from, and nothing here depends on it.
            if row["directory"].startswith("FRAMAC_SHARE") or row["property kind"] == "from clause":
                continue
            if not self.eva and row["property kind"] == "precondition":
                continue
            place = f"{row['directory']}/{row['file']}:{row['line']}"
            self.properties += 1
            if row["status"] not in PROVED:
                self.alarms += 1
                self.faults.append(f"{place}: {row['function']}: {row['property kind']}: "
                                   f"{row['property']}: {row['status']}")
            elif row["status"] == "Considered valid" and row["directory"] != "tests/prove":
                self.look_for_contract(row["function"])
            elif row["status"] == "Considered valid":
                self.look_for_reason(ROOT / row["directory"] / row["file"], int(row["line"]), place)
        for name in self.believed:
            self.look_for_contract(name)
        for number, line in enumerate(self.path.read_text().split("\n"), 1):
            if re.match(r"\s*ASSUME\(", line):
                self.look_for_reason(self.path, number, f"{self.path.name}:{number}")

    def look_for_contract(self, name):
        lines = self.path.read_text().split("\n")
        places = [i for i, line in enumerate(lines) if re.match(rf"[a-z].*\b{name}\(", line)]
        self.look_for_reason(self.path, (places or [0])[0], f"{self.path.name}: {name}()")

    def look_for_reason(self, path, line, place):
        """What is believed without a proof has a comment in front that begins with `Assumption:`."""
        lines = path.read_text().split("\n")[:line]
        while lines and not re.match(r"\s*(/\*@|ASSUME\()", lines[-1]):
            lines.pop()
        comment = "\n".join(lines[:-1]).rpartition("/*")[2].rstrip()
        if "Assumption:" not in comment or not comment.endswith("*/"):
            self.faults.append(f"{place}: an assumption without a reason")

    # ---- Functions ----

    def meant(self):
        """The functions that are to be covered, by this driver or another of the sources: (source, name)."""
        return {(source, name) for source in self.sources for name in defined_in(source)
                if not self.only or name in self.only}

    def look_at_functions(self, said):
        defined = {name for _, name in self.meant()}
        if self.eva:
            counts = {name: (int(done), int(all_)) for name, done, all_ in STATEMENTS.findall(said)}
            self.covered = defined & set(counts) - set(self.believed)
            done = sum(counts[name][0] for name in self.covered)
            total = sum(counts[name][1] for name in self.covered)
            self.reached = 100 * done / total if total else 0
            if self.reached < self.coverage:
                few = [name for name in sorted(self.covered) if counts[name][0] < counts[name][1]]
                self.faults.append(f"{self.reached:.2f} % of the statements reached of {self.coverage} %: "
                                   f"not all of {' '.join(few)}")
        else:
            self.covered = defined & set(self.contracts)
            goals = GOALS.search(said)
            if not goals or goals[1] != goals[2] or goals[1] == "0":
                self.faults.append(f"{goals[0] if goals else 'no goals'}; see {self.log}")

    def report(self):
        tool = " ".join(["Eva"] * self.eva + ["WP"] * bool(self.contracts))
        reached = f", {self.reached:.1f} % of statements" if self.reached is not None else ""
        failed = "FAILED  " if self.faults else ""
        print(f"  {failed}{self.name:16} {tool:6} {len(self.covered):3} functions, "
              f"{self.properties:4} properties, {self.alarms} alarms{reached}, {self.seconds:.0f} s",
              flush=True)
        for fault in self.faults:
            print(f"    {fault}", flush=True)


def defined_in(source):
    return FUNCTION.findall((ROOT / source).read_text())


def covered_by(drivers):
    """The functions that are proved, each as (source, name), and those that are not."""
    every = set().union(*(driver.meant() for driver in drivers))
    proved = {(source, name) for driver in drivers for source, name in driver.meant()
              if name in driver.covered}
    return proved, sorted(every - proved)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.environ.get("BUILD_DIR", ROOT / "build"))
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if not shutil.which("frama-c") or not shutil.which("cvc4"):
        sys.exit("prove: frama-c, why3 and cvc4 are needed")
    build = pathlib.Path(options.build).resolve() / "prove"
    build.mkdir(parents=True, exist_ok=True)
    every = [Driver(path, build) for path in sorted(HERE.glob("*.c"))]
    drivers = [driver for driver in every if not options.names or driver.name in options.names]
    drivers.sort(key=lambda driver: not driver.long)
    elsewhere = {source for driver in every if driver not in drivers for source in driver.sources}
    # The provers are those that are here now. Otherwise it would write to the user's own settings.
    os.environ["WHY3CONFIG"] = str(build / "why3.conf")
    subprocess.run(["why3", "config", "detect"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=True)
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for done in concurrent.futures.as_completed([pool.submit(Driver.prove, d) for d in drivers]):
            done.result().report()
    proved, left = covered_by(drivers)
    left = [(source, name) for source, name in left if source not in elsewhere]
    for source, name in left:
        print(f"  FAILED  {source}: {name}() is not reached")
    failed = sum(bool(driver.faults) for driver in drivers) + bool(left)
    print(f"{len({source for source, _ in proved})} files, {len(proved)} functions, "
          f"{sum(driver.alarms for driver in drivers)} alarms")
    print(f"{len(drivers) + 1 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
