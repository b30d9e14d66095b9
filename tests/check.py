#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run all tests, and say in one line at the end how they went.

Each suite is a command. What it prints is shown as it comes, except its own summary, which is taken
from there: a line `N passed, N failed`, or pytest's report in XML. A suite that fails without saying
what failed, or runs no tests, counts as one failure. A test of pytest's that does not end is ended, and
so is a suite.

There are two lanes, one beside the other. Each takes the next suite from one list when it has done
one, so that both end together; a line says first which suite it is from. Suites that wait for most of their
time are in neither: they run one after the other beside both.
"""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed$")
FAILED = re.compile(r"^  FAILED  ")
LANES = 2  # more would only be slower: most suites keep a processor busy
FUZZING = 6  # seconds for each fuzzer; who has more time says so to tests/fuzz/Makefile
# The systems that take long come first, and short ones fill what is left. `cores` is not the first: what
# it looks at is by the host's clock, and so is the storm, the last of the suites before.
LONG = ("disks", "uplink", "cores", "drivers", "crash", "power", "hostile", "systems", "boards", "shares",
        "soak", "limits", "vhost", "gicv3", "devices", "two_boards", "image", "bare", "mtu", "debugger")
# What has hung would keep all from being told what the others have found. Each is many times what the
# slowest one takes; another SDK's kernel may be slower.
TEST_SECONDS = 1200
BRAID = "test_braid.py"
SUITE_SECONDS = 2700
ALSO = 3
PYTEST_FRAME = re.compile(r"^=+ .* =+$|^=+$|^-+ generated xml file")


class Suite:
    """A command and, if it is pytest's, where its report goes. `tag` is for its lines."""

    running = set()  # process groups, to be ended if this program is
    lock = threading.Lock()

    def __init__(self, tag, name, command, environment=None, report=None, seconds=SUITE_SECONDS, waits=False):
        self.tag = tag
        self.name = name
        self.command = command
        self.environment = environment or {}
        self.report = report
        self.seconds = seconds
        self.waits = waits
        self.hung = False
        self.failures = []  # which tests, as far as the suite says so

    def say(self, line):
        # In one piece: another lane says something, too.
        sys.stdout.write(f"{self.tag:10} | {line}\n")
        sys.stdout.flush()

    def outcome(self):
        """(passed, failed). A suite that cannot be run has failed."""
        try:
            return self.run()
        except (OSError, xml.etree.ElementTree.ParseError) as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            return 0, 1

    def run(self):
        self.say(f"---- {self.name}")
        if self.report:
            self.report.parent.mkdir(parents=True, exist_ok=True)
            self.report.unlink(missing_ok=True)
        begin = time.monotonic()
        counts = None
        with subprocess.Popen(self.command, cwd=ROOT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, **self.environment},
                              text=True, errors="replace", start_new_session=True) as process, \
                self.bounded(process):
            for line in process.stdout:
                summary = SUMMARY.match(line.rstrip("\n"))
                if summary:
                    counts = int(summary[1]), int(summary[2])
                    continue
                if FAILED.match(line):
                    self.failures.append(line.split(maxsplit=1)[1].rstrip("\n"))
                if not (self.report and PYTEST_FRAME.match(line)):
                    self.say(line.rstrip("\n"))
        if self.report:
            counts = self.pytest_counts()
        passed, failed = counts or (0, 0)
        if self.hung:
            self.failures.append(f"had not ended after {self.seconds} s")
            failed += 1
        elif failed == 0 and process.returncode != 0:
            self.failures.append(f"ended with status {process.returncode}")
            failed = 1
        elif counts is None or (passed + failed == 0 and not self.report):
            # Of pytest's, all may be for another SDK or emulator: they are skipped. If there are none,
            # its status says so.
            self.failures.append("ran no tests")
            failed = 1
        self.say(f"---- {self.name}: {passed} of {passed + failed} in "
                 f"{time.monotonic() - begin:.0f} s")
        return passed, failed

    @contextlib.contextmanager
    def bounded(self, process):
        """End a suite that does not end, and what it has started."""
        def end():
            self.hung = True
            end_group(process.pid)

        timer = threading.Timer(self.seconds, end)
        with Suite.lock:
            Suite.running.add(process.pid)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with Suite.lock:
                Suite.running.discard(process.pid)

    def pytest_counts(self):
        if not self.report.exists():
            return None
        tests = failed = 0
        for suite in xml.etree.ElementTree.parse(self.report).iter("testsuite"):
            skipped = int(suite.get("skipped", 0))
            tests += int(suite.get("tests", 0)) - skipped
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            self.failures += [case.get("name") for case in suite.iter("testcase")
                              if case.find("failure") is not None or case.find("error") is not None]
        return tests - failed, failed


def end_group(leader):
    """End a process, and those of its group: politely, and after ten seconds for good."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGTERM)
        time.sleep(10)
        os.killpg(leader, signal.SIGKILL)


def end_all(number, _):
    """Suites have sessions of their own: what ends this program does not reach them by itself."""
    with contextlib.suppress(ProcessLookupError):
        for leader in Suite.running:
            os.killpg(leader, signal.SIGTERM)
    os._exit(128 + number)


def pytest(tag, name, path, build, environment=None, times=1, without="", waits=False):
    """
    `times`: how much longer than others its tests may take. `without`: a file in `path` that is left out.
    """
    report = build / "check" / f"{tag}.xml"
    return Suite(tag, name,
                 [sys.executable, "-u", "-m", "pytest", "-p", "no:cacheprovider", "-v", "--tb=short",
                  "--no-header", f"--timeout={TEST_SECONDS * times}", f"--junitxml={report}", path,
                  *([f"--ignore={path}/{without}"] if without else [])],
                 {"PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}, report,
                 SUITE_SECONDS * times, waits)


def system_tests():
    """Names of the files of tests/system, in the order in which to run them."""
    names = {path.stem.removeprefix("test_") for path in (ROOT / "tests/system").glob("test_*.py")}
    return sorted(names, key=lambda name: (LONG.index(name) if name in LONG else len(LONG), name))


def proofs(build):
    """None where Frama-C is no package: not all distributions that Braid runs on have it."""
    if not shutil.which("frama-c"):
        print("prove      | there is no Frama-C in this distribution: nothing is proved here", flush=True)
        return []
    return [Suite("prove", "proofs", [sys.executable, "-u", "tests/prove/prove.py", "--build", str(build)])]


def suites_of(options):
    """All suites, in the order in which they begin: what tells something soon comes first."""
    build = pathlib.Path(options.build)
    jobs = f"-j{os.cpu_count() or 2}"
    environment = {"BUILD_DIR": str(build), "MICROKIT_SDK": options.sdk, "QEMU": options.qemu,
                   "LINUX": options.linux, "INITRD": options.initrd}

    def make(tag, name, directory, *variables):
        return Suite(tag, name, [options.make, jobs, "--no-print-directory", "-C", directory,
                                 f"BUILD_DIR={build}", f"MICROKIT_SDK={options.sdk}",
                                 f"SDK={options.sdk}", *variables])

    suites = [Suite("lint", "linters", [sys.executable, "-u", "tests/lint.py"]),
              make("unit", "unit tests", "tests/unit"),
              make("fuzz", "fuzzing", "tests/fuzz", f"SECONDS={FUZZING}"),
              *proofs(build),
              pytest("tool", "the microkit tool", "tests/tool", build, environment),
              pytest("tools", "the generator", "tests/tools", build, environment, without=BRAID),
              pytest("braid", "the command braid", f"tests/tools/{BRAID}", build, environment,
                     waits=True),
              pytest("guest", "the guests' files", "tests/guest", build, environment),
              pytest("models", "models of protocols", "tests/models", build, environment),
              make("model", "the kernel's scheduler and IPC", "tests/kernel_model"),
              pytest("kernel", "the bundled kernel", "tests/kernel", build, environment)]
    suites += [pytest(name, f"systems, {name}", f"tests/system/test_{name}.py", build, environment)
               for name in system_tests()]
    if options.also:
        environment = {**environment, "MICROKIT_SDK": options.also}
        suites += [pytest(f"{name}-also", f"systems, {name}, on {options.also}",
                          f"tests/system/test_{name}.py", build, environment, ALSO)
                   for name in system_tests()]
    return suites


def run(suites):
    """(passed, failed) of all suites."""
    with concurrent.futures.ThreadPoolExecutor(LANES) as lanes, \
            concurrent.futures.ThreadPoolExecutor(1) as beside:
        running = [(beside if suite.waits else lanes).submit(suite.outcome) for suite in suites]
        counts = [one.result() for one in running]
    return sum(passed for passed, _ in counts), sum(failed for _, failed in counts)


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

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, end_all)
    suites = suites_of(options)
    passed, failed = run(suites)
    print()
    for suite in suites:
        for failure in suite.failures:
            print(f"FAILED {suite.name}: {failure}")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
