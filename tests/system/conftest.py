# SPDX-License-Identifier: BSD-2-Clause
"""What the system tests share: images, built by the Makefile as a user would, and running systems.

The environment says where to build and on what: BUILD_DIR, MICROKIT_SDK (empty: the bundled one),
MICROKIT_CONFIG, QEMU, LINUX, INITRD.

`make check` runs two of the files here at a time. So they build in turn (alone()), and what one file
builds is not built differently in another: a test that wants a system with other settings, or changes
its files, has a copy of the system's description under another name. And they run in turn where a test
needs all of the host's processors (processors()).
"""

import contextlib
import fcntl
import os
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
sys.path.append(str(ROOT / "tests" / "tool"))

import image_check  # noqa: E402  (lies in tests/tool)
import machine  # noqa: E402  (lies beside this file)

BUILD_DIR = pathlib.Path(os.environ.get("BUILD_DIR") or ROOT / "build").resolve()
BUNDLED_SDK = BUILD_DIR / "sdk" / "microkit-sdk"
SDK = pathlib.Path(os.environ.get("MICROKIT_SDK") or BUNDLED_SDK).resolve()
CONFIG = os.environ.get("MICROKIT_CONFIG") or "release"
BOARD = "qemu_virt_aarch64"
LOGS = BUILD_DIR / "check" / "logs"


def on_bundled_sdk():
    return SDK == BUNDLED_SDK


@contextlib.contextmanager
def alone():
    """Nobody else builds in this build directory meanwhile. Not for use within itself."""
    place = BUILD_DIR / "check"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def command_of_make(target, **variables):
    """make as a user would run it."""
    settings = {"BUILD_DIR": BUILD_DIR, "MICROKIT_CONFIG": CONFIG}
    if not on_bundled_sdk():
        settings["MICROKIT_SDK"] = SDK
    for name in ("QEMU", "LINUX", "INITRD"):
        if os.environ.get(name):
            settings[name] = os.environ[name]
    settings.update(variables)
    unset = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MICROKIT_SDK", *settings)
    return ["env", *(f"--unset={name}" for name in unset), "make", "--no-print-directory", "-C", str(ROOT),
            target, *(f"{name}={value}" for name, value in settings.items())]


def make(target, **variables):
    """Run make; returns the finished process, with all it has printed in stdout."""
    with alone():
        return subprocess.run(command_of_make(target, **variables), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def directory_of(system, **variables):
    """Where make puts what it makes of a system, if it is called with these variables."""
    process = make("directory", SYSTEM=system, **variables)
    assert process.returncode == 0, process.stdout
    return pathlib.Path(process.stdout.splitlines()[-1])


def sdk_cores():
    """How many cores the SDK is built for; an official one starts them all. 0: it is older than 2.1."""
    config = SDK / "board" / BOARD / f"smp-{CONFIG.removeprefix('smp-')}"
    found = [int(n) for header in (config / "include" / "kernel").glob("gen_*.h")
             for n in re.findall(r"^#define CONFIG_MAX_NUM_NODES +(\d+)", header.read_text(), re.M)]
    return max(found, default=0)


SDK_CORES = sdk_cores()
HAS_CORES = SDK_CORES > 0
NO_CORES = "the SDK has no config for several cores"
needs_cores = pytest.mark.skipif(not HAS_CORES, reason=NO_CORES)


def qemu_version():
    """The major version of the emulator that the tests use."""
    program = (os.environ.get("QEMU") or "qemu-system-aarch64").split()
    said = subprocess.run([*program, "--version"], stdout=subprocess.PIPE, text=True, check=False)
    return int(re.search(r"version (\d+)", said.stdout)[1])


def needs_qemu(version, reason):
    return pytest.mark.skipif(qemu_version() < version,
                              reason=f"QEMU {version} is needed: {reason}")


def marks_of(board):
    """Of a test on a board that not every SDK is for, and that not every QEMU does right."""
    sdk_has = pytest.mark.skipif(not (SDK / "board" / board / CONFIG).is_dir(),
                                 reason=f"the SDK is not for {board}")
    old_qemu_is_wrong = board == "zcu102" and not on_bundled_sdk()
    return [sdk_has, needs_qemu(10 if old_qemu_is_wrong else 0, "older ones trap CNTPCT_EL0 on seL4")]


def needs_processors(count):
    """
    Of a test whose system uses so many cores. An SDK may be built for fewer. On an official SDK's kernel it
    gets nowhere if the host cannot run as many of QEMU's threads at once (docs/performance.md, "Several
    cores").
    """
    few = len(os.sched_getaffinity(0)) < count and "thread=single" not in os.environ.get("QEMU", "")
    return pytest.mark.skipif(SDK_CORES < count or (few and not on_bundled_sdk()),
                              reason=f"the SDK is for fewer than {count} cores, or is seL4 and needs {count} "
                                     "processors of the host")


def uses_cores(system):
    """Whether a system is built with the SDK's config for several cores."""
    return ".smp-" in directory_of(system).name


# A real SDK that cannot prefill regions (before 2.2) has a copy of the kernel image in each monitor's
# program; what its tool has the kernel do at boot, page by page, is then a list that may lie across
# the loader.
LARGE = ("eight_vms",)
LIST_TOO_LONG = "Overlapping regions: "


checked = set()


def check_image(directory):
    """Look over an image of the bundled SDK, once: it is what its description says (image_check.py)."""
    image = directory / "loader.img"
    sdk, board, config = directory.name.split(".")[:3]
    state = (image, image.stat().st_mtime_ns, image.stat().st_size)
    if sdk != "bundled" or state in checked:
        return
    kernel = BUNDLED_SDK / "board" / board / config / "elf" / "kernel.elf"
    image_check.demand_good(image, directory / "system.system", kernel, [directory])
    checked.add(state)


def build(system, **variables):
    """Build a system's image; returns the command that boots it."""
    process = make("image", SYSTEM=system, **variables)
    if system in LARGE and not on_bundled_sdk() and LIST_TOO_LONG in process.stdout:
        pytest.skip(f"{SDK.name}'s tool has no room for the pages of so many kernel images")
    assert process.returncode == 0, process.stdout[-4000:]
    directory = directory_of(system, **variables)
    check_image(directory)
    return directory / "run"


def build_with_new_disk(system, **variables):
    """As build, and nothing that machines have written to the disk before is there."""
    process = make("disk", SYSTEM=system, **variables)
    assert process.returncode == 0, process.stdout[-4000:]
    return build(system, **variables)


def put(text, path):
    """Make a file anew if it holds something else: what has been built of it is built of it still."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def make_guests(directory, *patterns):
    """The images of the guests of our own (hostile/), and beside them systems of this directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with alone():
        subprocess.run(["make", "-s", "-C", HERE / "hostile", f"OUT={directory}"], check=True,
                       stdin=subprocess.DEVNULL)
        for pattern in patterns:
            for path in HERE.glob(pattern):
                put(path.read_text(), directory / path.name)


def fetch(directory, package):
    """A package of the distribution for guests, unpacked: its files are under directory/root."""
    with alone():
        if not (directory / "root").exists():
            subprocess.run([ROOT / "guest" / "fetch.sh", directory, package], check=True,
                           env=dict(os.environ, PYTHON=sys.executable), stdin=subprocess.DEVNULL)


def make_bare(directory):
    """The bare-metal guests (bare/), and beside them the systems that have them."""
    directory.mkdir(parents=True, exist_ok=True)
    with alone():
        subprocess.run(["make", "-s", "-C", HERE / "bare", f"OUT={directory}"], check=True,
                       stdin=subprocess.DEVNULL)
        for name in ("bare.yaml", "bare_mtu.yaml", "sharer.yaml", "sharer_linux.yaml"):
            put((HERE / name).read_text(), directory / name)


@pytest.fixture
def guests():
    """Where the guests are, and systems that have them."""
    place = BUILD_DIR / "check" / "hostile"
    make_guests(place, "hostile*.yaml", "leftover*.yaml", "gic_look.yaml")
    return place


def make_disktool(directory):
    """The program that Linux guests use their disks with."""
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["aarch64-linux-gnu-gcc", "-static", "-O2", "-s", "-Wall", "-Wextra", "-Werror",
                    "-o", directory / "disktool", HERE / "disktool.c"], check=True)


class Booter:
    """Boots systems, keeps a log of each, and ends them when the test (or file) is over."""

    def __init__(self, name):
        self.name = name
        self.machines = []

    def __call__(self, system, arguments=(), timeout=machine.FAR, monitor=None, **variables):
        return self.start(build(system, **variables), arguments, timeout, monitor)

    def start(self, command, arguments=(), timeout=machine.FAR, monitor=None):
        """Run a command that boots a system."""
        LOGS.mkdir(parents=True, exist_ok=True)
        log = (LOGS / f"{self.name}.{len(self.machines)}.log").open("w", encoding="utf-8")
        running = machine.Machine(command, arguments, log, timeout, monitor)
        self.machines.append((running, log))
        return running

    def make(self, target, **variables):
        """Have make build and boot a system, at a terminal. It has built when this returns."""
        program, *arguments = command_of_make(target, **variables)
        with alone():
            running = self.start(program, arguments)
            running.expect(re.escape(machine.BANNER))
        variables = {"SYSTEM": "virtio_demo", **variables}
        check_image(directory_of(variables.pop("SYSTEM"), **variables))
        return running

    def stop(self):
        for running, log in self.machines:
            if not log.closed:
                running.stop()
                log.close()


def log_name(request):
    """Of a test or a file. Tests in two files may have one name."""
    file, _, test = request.node.nodeid.partition("::")
    name = f"{pathlib.Path(file).stem}.{test}".rstrip(".")
    return re.sub(r"[^\w.-]+", "_", name) + ("" if on_bundled_sdk() else "-also")


@pytest.fixture
def boot(request):
    """A function that boots a system for one test."""
    booter = Booter(log_name(request))
    yield booter
    booter.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Remember that a test failed: what it has left of a shared system is not for the next one."""
    report = (yield).get_result()
    if report.failed:
        item.session.config.shared_is_spoilt = True


@pytest.fixture(autouse=True)
def processors(request):
    """
    The host's processors. On an official SDK's kernel several cores get nowhere if the host cannot run
    them all at once (needs_processors()), so other tests of other files wait while they run.
    """
    several = not on_bundled_sdk() and any(mark.kwargs.get("reason") == NO_CORES
                                           for mark in request.node.iter_markers("skipif"))
    place = BUILD_DIR / "check"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "processors").open("w", encoding="utf-8") as lock, \
            (place / "next").open("w", encoding="utf-8") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # who wants all of them waits for one test at most
        fcntl.flock(lock, fcntl.LOCK_EX if several else fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield


class Shared:
    """
    A system that a file's tests share, booted when first asked for, and anew after a test has failed.
    `begin` boots it: a function of a booter.
    """

    def __init__(self, request, begin):
        self.booter = Booter(log_name(request))
        self.begin = begin
        self.running = None

    def system(self, config):
        if getattr(config, "shared_is_spoilt", False):
            self.drop()
        config.shared_is_spoilt = False
        if self.running is None:
            self.running = self.begin(self.booter)
        return self.running

    def drop(self):
        self.booter.stop()
        self.running = None


def begin_demo(booter):
    """virtio_demo with both shells ready and vm1's address set."""
    running = booter("virtio_demo")
    running.login(0)
    running.login(1)
    running.output(1, "ifconfig eth0 192.168.1.2")
    return running


@pytest.fixture(scope="module")
def shared_demo(request):
    shared = Shared(request, begin_demo)
    yield shared
    shared.drop()


@pytest.fixture
def demo(shared_demo, pytestconfig):
    return shared_demo.system(pytestconfig)
