#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run all tests, one suite after the other, and say in one line at the end how they went.

Each suite is a command. What it prints is shown as it comes, except its own summary, which is taken
from there: a line `N passed, N failed`, or pytest's report in XML. A suite that fails without saying
what failed, or runs no tests, counts as one failure.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed$")
FUZZING = 10  # seconds for each fuzzer; who has more time says so to tests/fuzz/Makefile
PYTEST_FRAME = re.compile(r"^=+ .* =+$|^=+$|^-+ generated xml file")


class Suite:
    """A command and, if it is pytest's, where its report goes."""

    def __init__(self, name, command, environment=None, report=None):
        self.name = name
        self.command = command
        self.environment = environment or {}
        self.report = report

    def run(self):
        """Returns (passed, failed)."""
        print(f"\n---- {self.name}", flush=True)
        if self.report:
            self.report.parent.mkdir(parents=True, exist_ok=True)
            self.report.unlink(missing_ok=True)
        begin = time.monotonic()
        counts = None
        with subprocess.Popen(self.command, cwd=ROOT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, **self.environment},
                              text=True, errors="replace") as process:
            for line in process.stdout:
                summary = SUMMARY.match(line.rstrip("\n"))
                if summary:
                    counts = int(summary[1]), int(summary[2])
                elif not (self.report and PYTEST_FRAME.match(line)):
                    print(line, end="", flush=True)
        if self.report:
            counts = self.pytest_counts()
        passed, failed = counts or (0, 0)
        if failed == 0 and process.returncode != 0:
            print(f"  FAILED  {self.name}: ended with status {process.returncode}")
            failed = 1
        elif passed + failed == 0:
            print(f"  FAILED  {self.name}: ran no tests")
            failed = 1
        print(f"---- {self.name}: {passed} of {passed + failed} in "
              f"{time.monotonic() - begin:.0f} s", flush=True)
        return passed, failed

    def pytest_counts(self):
        if not self.report.exists():
            return None
        tests = failed = 0
        for suite in xml.etree.ElementTree.parse(self.report).iter("testsuite"):
            skipped = int(suite.get("skipped", 0))
            tests += int(suite.get("tests", 0)) - skipped
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        return tests - failed, failed


def pytest(name, directory, build, environment=None, tag=""):
    report = build / "check" / f"{pathlib.Path(directory).name}{tag}.xml"
    return Suite(name, [sys.executable, "-u", "-m", "pytest", "-p", "no:cacheprovider", "-v",
                        "--tb=short", "--no-header", f"--junitxml={report}", directory],
                 {"PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}, report)


def suites(options):
    build = pathlib.Path(options.build)
    jobs = f"-j{os.cpu_count() or 2}"
    environment = {"BUILD_DIR": str(build), "MICROKIT_SDK": options.sdk, "QEMU": options.qemu,
                   "LINUX": options.linux, "INITRD": options.initrd}

    def make(name, directory, *variables):
        return Suite(name, [options.make, jobs, "--no-print-directory", "-C", directory,
                            f"BUILD_DIR={build}", f"MICROKIT_SDK={options.sdk}",
                            f"SDK={options.sdk}", *variables])

    yield make("unit tests", "tests/unit")
    yield make("fuzzing", "tests/fuzz", f"SECONDS={FUZZING}")
    for directory, name in (("tests/tool", "the microkit tool"), ("tests/tools", "the generator"),
                            ("tests/guest", "the guests' files"),
                            ("tests/kernel", "the bundled kernel")):
        if (ROOT / directory / "Makefile").exists():
            yield make(name, directory)
        elif (ROOT / directory).exists():
            yield pytest(name, directory, build, environment)
    yield pytest("systems", "tests/system", build, environment)
    if options.also:
        yield pytest(f"systems on {options.also}", "tests/system", build,
                     {**environment, "MICROKIT_SDK": options.also}, "-also")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--sdk", required=True, help="the bundled SDK")
    parser.add_argument("--also", help="another SDK to run the systems on")
    parser.add_argument("--make", default="make")
    parser.add_argument("--qemu", default="qemu-system-aarch64")
    parser.add_argument("--linux", default="")
    parser.add_argument("--initrd", default="")
    options = parser.parse_args()
    # The suites' makes are nobody's children: they must not wait for a job server's tokens.
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        os.environ.pop(name, None)

    passed = failed = 0
    for suite in suites(options):
        counts = suite.run()
        passed += counts[0]
        failed += counts[1]
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
