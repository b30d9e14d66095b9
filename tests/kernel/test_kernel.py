# SPDX-License-Identifier: BSD-2-Clause
"""The bundled kernel, seen by small PDs in QEMU.

Each directory here is a system: NAME/NAME.system and one C file per program. Its PDs report rows,
"ok ROW" or "not ok ROW: got ..., want ..."; every row is a test. A system is built and run once per
config, with QEMU counting instructions as time, so that a run repeats exactly. All but a few run on
any Microkit SDK.

Environment: BRAID_SDK or MICROKIT_SDK, the SDK; BRAID_BUILD or BUILD_DIR, where to build; QEMU.
"""

import functools
import os
import pathlib
import re
import struct
import subprocess
import sys
import threading

import pytest

import gdb

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.append(str(ROOT / "tests/tool"))

import image_check  # noqa: E402  (lies in tests/tool)

BUILD = pathlib.Path(os.environ.get("BRAID_BUILD") or os.environ.get("BUILD_DIR") or ROOT / "build")
SDK = pathlib.Path(os.environ.get("BRAID_SDK") or os.environ.get("MICROKIT_SDK")
                   or BUILD / "sdk/microkit-sdk")
QEMU = os.environ.get("QEMU") or "qemu-system-aarch64"
CROSS = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-")
PICOLIBC = "/usr/lib/picolibc/aarch64-linux-gnu/lib"
BOARD = "qemu_virt_aarch64"
BOARD_GICV3 = "qemu_virt_aarch64_gicv3"
TIMEOUT = 600  # far more than any run takes: hosts differ
BUNDLED = (SDK / "VERSION").exists() and "braid" in (SDK / "VERSION").read_text()

# What a row puts into FP registers is to be there when it looks, so compiled code leaves them alone.
CFLAGS = ["-std=gnu11", "-O2", "-g", "-mgeneral-regs-only", "-Wall", "-Wextra",
          "-Wno-unused-function", "-ffreestanding", "-nostdlib", "-mcpu=cortex-a53",
          "-mstrict-align", "-mno-outline-atomics", "-fno-pie", "-no-pie", "-fno-stack-protector",
          "-Wl,--build-id=none"]

SDK_FLAGS = () if BUNDLED else ("-DON_SEL4",)

only_bundled = pytest.mark.skipif(not BUNDLED, reason="about the bundled SDK")


def run(command, **options):
    """Run a command; its output is the failure's if it fails."""
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


def once(function):
    """Do it once for each set of arguments, whether it works or fails."""
    results = {}

    @functools.wraps(function)
    def wrapper(*arguments):
        if arguments not in results:
            try:
                results[arguments] = function(*arguments), None
            except (AssertionError, OSError) as error:
                results[arguments] = None, error
        result, error = results[arguments]
        if error:
            raise error
        return result
    return wrapper


@once
def build(name, config, text=None, flags=(), variant=None, board_name=BOARD):
    """The boot image of a system here, or of a description in `text` with the programs here."""
    source = HERE / name
    out = BUILD / "check/kernel" / f"{variant or name}.{config}"
    board = SDK / "board" / board_name / config
    description = source / f"{name}.system"
    out.mkdir(parents=True, exist_ok=True)
    if text:
        description = out / f"{name}.system"
        description.write_text(text)
    for program in source.glob("*.c"):
        run([f"{CROSS}gcc", *CFLAGS, *SDK_FLAGS, *flags, f"-I{ROOT}", f"-I{board}/include", program,
             *source.glob(f"{program.stem}_*.S"), "-o", out / f"{program.stem}.elf",
             f"-L{board}/lib", f"-Wl,-T,{board}/lib/microkit.ld", "-lmicrokit",
             f"-L{PICOLIBC}", "-lc", "-lgcc"])
    run([SDK / "bin/microkit", description, "--search-path", out, source,
         "--board", board_name, "--config", config, "-o", out / "loader.img",
         "-r", out / "report.txt"])
    if BUNDLED:
        image_check.demand_good(out / "loader.img", description, board / "elf/kernel.elf", [out, source])
    return out / "loader.img"


def boot(image, until=r"^done$", cpu="cortex-a53", machine="virt,virtualization=on", more=(),
         started=lambda: None, clock=("-icount", "shift=1,sleep=off", "-rtc", "clock=vm"),
         timeout=TIMEOUT):
    """What QEMU prints, to a line that matches `until`."""
    command = [*QEMU.split(), "-machine", machine, "-cpu", cpu, "-m", "2G", "-nographic", "-nic", "none",
               *clock, "-device", f"loader,file={image},addr=0x70000000,cpu-num=0", *more]
    lines = []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        try:
            started()
            for line in process.stdout:
                lines.append(line.rstrip("\r\n"))
                if re.search(until, lines[-1]):
                    break
        finally:
            timer.cancel()
            process.kill()
    return lines


@once
def output(name, config="debug", cpu="cortex-a53"):
    return boot(build(name, config), cpu=cpu)


@once
def output_gicv3(name, config):
    """On a board with a GICv3. A guest's CPU interface is no page there."""
    text = (HERE / name / f"{name}.system").read_text()
    text = re.sub(r"( *<[^\n]*\"gicv\"[^\n]*/>\n)", "", text)
    image = build(name, config, text, ("-DGICV3",), f"{name}.gicv3", BOARD_GICV3)
    return boot(image, machine="virt,virtualization=on,gic-version=3")


def is_others(line):
    """
    A figure that is the affair of a real SDK's kernel. On seL4 a thread may have up to 120 of 200 ms beside
    its equal, if it calls a server each few microseconds.
    """
    return not BUNDLED and re.match(r"not ok share_of_calling_each_\w+: 1[01]\d{4},", line)


def check_row(lines, row):
    pattern = re.compile(rf"^(not )?ok {re.escape(row)}(:.*)?$")
    found = [line for line in lines if pattern.search(line)]
    assert found, "\n".join([f"no row {row} in:", *lines[-40:]])
    bad = [line for line in found if line.startswith("not ") and not is_others(line)]
    assert not bad, "\n".join(bad)


def rows_of(name):
    """The names of all rows that a system's sources report."""
    reports = re.compile(r"\bcheck(?:_\w+)?\(\s*\"(\w+)\"")
    rows = []
    for program in sorted((HERE / name).glob("*.[ch]")):
        rows += [row for row in reports.findall(program.read_text()) if row not in rows]
    return rows


def check_all_rows(name, lines, without=frozenset()):
    assert lines[-1] == "done", "\n".join(lines[-40:])
    bad = [line for line in lines if line.startswith("not ok") and not is_others(line)]
    assert not bad, "\n".join(bad)
    for row in rows_of(name):
        if row not in NEVER | without:
            check_row(lines, row)


# Rows that are there to fail.
NEVER = {"irq_no_more_than_due", "fault_expected"}

# Rows on the page that a GICv2's CPU interface is, and on the registers that a GICv3's is.
GICV2_ONLY = {"walk_of_a_device_faults", "walk_takes_no_interrupt", "id_no_gic_registers"}
GICV3_ONLY = {"id_gic_registers"}

# What kernels for several cores do not have.
ONE_CORE = {"domains"}

# What others do not have: prefilled regions and vCPUs of any id in the oldest; this system call ABI.
BUNDLED_ONLY = {"memory", "vcpu", "hostile", "sysregs", "debug"}
SYSTEMS = [pytest.param(name, marks=only_bundled) if name in BUNDLED_ONLY else name
           for name in ("api", "irq", "sched", "passive", "lent", "faults", "priority", "cspace", "domains",
                        "late", "memory", "vcpu", "hostile", "sysregs", "debug")]


def cases():
    for system in SYSTEMS:
        name, marks = (system, ()) if isinstance(system, str) else (system.values[0], system.marks)
        for row in rows_of(name):
            if row not in NEVER | GICV3_ONLY:
                yield pytest.param(name, row, marks=marks, id=f"{name}-{row}")


@pytest.mark.parametrize("name, row", cases())
def test_row(name, row):
    check_row(output(name), row)


@pytest.mark.parametrize("config, cpu", [
    ("release", "cortex-a53"), ("debug", "cortex-a72"),
    pytest.param("smp-debug", "cortex-a53", marks=only_bundled),
    pytest.param("smp-release", "cortex-a53", marks=only_bundled),
    pytest.param("benchmark", "cortex-a53", marks=only_bundled)])
@pytest.mark.parametrize("name", SYSTEMS)
def test_all_rows(name, config, cpu):
    """The same in a release build, on another processor, by a kernel for several cores, and by one that
    counts cycles."""
    if name in ONE_CORE and config.startswith("smp-"):
        pytest.skip("for one core")
    check_all_rows(name, output(name, config, cpu), GICV3_ONLY)


@only_bundled
@pytest.mark.parametrize("config", ["debug", "smp-release"])
@pytest.mark.parametrize("name", ["api", "irq", "sched", "faults", "late", "vcpu", "sysregs", "debug"])
def test_all_rows_on_a_gicv3(name, config):
    check_all_rows(name, output_gicv3(name, config), GICV2_ONLY)


@only_bundled
@pytest.mark.parametrize("cpu", ["cortex-a57", "cortex-a76", "neoverse-n1", "a64fx", "max"])
@pytest.mark.parametrize("name", ["vcpu", "sysregs", "debug"])
def test_newer_processors(name, cpu):
    """What later architectures have is the guest's own, or closed. a64fx has no AArch32."""
    lines = output(name, "debug", cpu)
    assert lines[-1] == "done", "\n".join(lines[-40:])
    bad = [line for line in lines if line.startswith("not ok") or " is open" in line]
    assert not bad, "\n".join(bad)


# seL4's kernel for several cores waits for all of them, which spin, and takes one processor for another.
@pytest.mark.parametrize("config, cpu", [("benchmark", "cortex-a53"),
                                         pytest.param("smp-benchmark", "cortex-a53", marks=only_bundled),
                                         pytest.param("benchmark", "max", marks=only_bundled)])
def test_benchmark(config, cpu):
    """What threads use of the processor, and a PD's own use of the performance monitors."""
    if not (SDK / "board" / BOARD / config).is_dir():
        pytest.skip(f"the SDK has no config {config}")
    check_all_rows("benchmark", output("benchmark", config, cpu))


@only_bundled
def test_benchmark_without_monitors():
    lines = boot(build("benchmark", "benchmark"), cpu="cortex-a53,pmu=off", until="monitoring unit$")
    assert not [line for line in lines if line.startswith("ok ")]


@pytest.mark.parametrize("config", ["smp-debug", "smp-release"])
def test_scheduler_of_another_core(config):
    """The PDs that get time by <cspace> are on another core than the one that gives it."""
    text = (HERE / "cspace/cspace.system").read_text()
    for name in ("a", "b", "capped", "server", "sleeper"):
        text = text.replace(f'_domain name="{name}"', f'_domain name="{name}" cpu="1"')
    lines = boot(build("cspace", config, text, ("-DREMOTE",), "cspace.remote"), more=["-smp", "2"])
    assert lines[-1] == "done", "\n".join(lines[-40:])
    assert not [line for line in lines if line.startswith("not ok")], "\n".join(lines)
    assert len([line for line in lines if line.startswith("ok ")]) > 80


@only_bundled
def test_memory_is_zeroed(tmp_path):
    """Where memory held something else before."""
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\xa5" * (16 << 20))
    # QEMU has its device tree in the first MiB of RAM.
    lines = boot(build("memory", "debug"),
                 more=["-device", f"loader,file={garbage},addr=0x40100000,force-raw=on"])
    for row in ("region_is_zero", "region_of_large_pages_is_zero", "bss_is_zero",
                "prefilled_rest_is_zero"):
        check_row(lines, row)


# ---- What the primitives cost -------------------------------------------------------------------

PRIMITIVES = ("notify_lower", "notify_higher_and_back", "call_and_back",
              "call_and_back_with_8_words", "call_to_passive_and_back", "read_vcpu_register",
              "interrupt_and_ack", "exit_and_restart", "two_exits_of_two_vcpus")


@only_bundled
@pytest.mark.parametrize("name", PRIMITIVES)
def test_primitive(name, record_property):
    """Measured in instructions; how many are too many is for bench/ to judge."""
    found = [re.fullmatch(rf"measured {name}: (\d+)", line)
             for line in output("primitives", "release")]
    figures = [int(match[1]) for match in found if match]
    assert len(figures) == 1 and figures[0] > 0
    record_property("instructions", figures[0])
    print(f"{name}: {figures[0]} instructions")


# ---- What the kernel says itself ----------------------------------------------------------------

def test_debug_output():
    assert "debug:255:4294967295:0" in output("api")


def test_halt():
    """seL4_DebugHalt, which only debug configs have, is the end of all."""
    text = (HERE / "api/api.system").read_text()
    lines = boot(build("api", "debug", text, ("-DTEST_HALT",), "api.halt"),
                 until=r"seL4_DebugHalt$|halting\.\.\.|has gone on")
    assert "gone on" not in lines[-1] and not [line for line in lines if line.startswith("ok ")]


def test_bad_channel_is_named():
    assert "low microkit_notify: invalid channel given '5'" in output("api")


@only_bundled
@pytest.mark.parametrize("config", ["debug", "release"])
def test_fault_is_reported(config):
    text = "\n".join(output("faults", config))
    assert ("MON|ERROR: faulting PD: orphan\nkernel: PD" in text) == (config == "debug")
    assert "kernel: PD 'orphan' has faulted and is stopped: writing to 0x40000010" in text
    assert re.search(r"pc +0{10}20\w{4} ", text)
    assert "x20 0000000000002020" in text


@only_bundled
def test_no_fpu_is_a_fault():
    lines = output("hostile")
    assert not [line for line in lines if "no_fpu" in line]
    assert [line for line in lines if line.startswith("kernel: PD 'integer' has faulted") and
            "FP or SIMD instruction" in line]


@only_bundled
def test_timer_is_its_owners():
    """The physical timer is for the PD that has its interrupt."""
    lines = output("hostile")
    assert not [line for line in lines if "timer_is_not_its" in line]
    assert [line for line in lines if line.startswith("kernel: PD 'meddler' has faulted") and
            "system register" in line]


def test_missing_entry_point_is_named():
    assert "bare is missing the 'protected' entry point" in output("faults")


# ---- What only a debugger can bring about -------------------------------------------------------

KERNEL = SDK / "board" / BOARD / "debug/elf/kernel.elf"


def symbol(name):
    found = re.search(rf"^(\w+) \w {name}$", run([f"{CROSS}nm", KERNEL]), re.MULTILINE)
    return int(found[1], 16)


def boot_with(path, name, interfere):
    """Boot a system, stopped, and have `interfere` do what it will with it before it goes on."""
    def started():
        server = gdb.Gdb(path)
        interfere(server)
        server.go()
        server.close()

    return boot(build(name, "debug"), until=r"^done$|has faulted|exception in the kernel",
                more=["-S", "-gdb", f"unix:{path},server=on,wait=off"], started=started)


DEBUG_PUTCHAR = 7  # in the kernel's vectors.S


def abort(server, offset):
    """In place of a call that prints a character, an asynchronous abort, the thread having got so
    far since it was resumed."""
    server.run_to(symbol("lower_sync"))
    while server.register(7) != DEBUG_PUTCHAR:
        server.run_to(symbol("lower_sync"))
    resumed = server.register(gdb.SP)  # where the thread's pc was, when it went on
    server.write(resumed, server.register(server.numbers["ELR_EL2"]) - offset)
    server.set_register(gdb.PC, symbol("lower_serror"))


@only_bundled
def test_abort_of_others_is_not_the_next_threads(tmp_path):
    lines = boot_with(tmp_path / "gdb", "api", lambda server: abort(server, 0))
    assert [line for line in lines if line.startswith("kernel: asynchronous external abort")]
    assert lines[-1] == "done", "\n".join(lines[-20:])


@only_bundled
def test_abort_of_its_own_is_the_threads(tmp_path):
    lines = boot_with(tmp_path / "gdb", "api", lambda server: abort(server, 4))
    assert "has faulted and is stopped" in lines[-1]


@only_bundled
def test_walk_of_a_guests_tables_may_abort(tmp_path):
    """The kernel asks them after a fault, and they may have changed: here to where no memory is."""
    def interfere(server):
        for _ in range(2):  # the first time the guest's MMU is off
            server.run_to(symbol("translate_at"))
        server.set_register(0, 0xc0000000)

    lines = boot_with(tmp_path / "gdb", "vcpu", interfere)
    assert lines[-1] == "done", "\n".join(lines[-20:])
    check_row(lines, "readonly_page_translated")


@only_bundled
def test_zeroing_maps_nothing_else(tmp_path):
    mapped = []

    def interfere(server):
        cleaning = re.search(r"^\s*(\w+):.*\bdc\s+cvac, x(\d+)",
                             run([f"{CROSS}objdump", "-d", KERNEL]), re.MULTILINE)
        server.run_to(int(cleaning[1], 16))
        address = server.register(int(cleaning[2]))
        assert server.read(address) is not None
        gigabyte = address >> 30 << 30
        mapped.extend(page for page in range(0, 1 << 30, 1 << 18)
                      if server.read(gigabyte + page) is not None)

    assert boot_with(tmp_path / "gdb", "memory", interfere)[-1] == "done"
    assert len(mapped) <= (2 << 20) >> 18, "more than 2 MiB of one GiB are mapped"


# ---- Boot images that are none ------------------------------------------------------------------

def patched_image(tmp_path, offset_in_header, value):
    """api's image with a word of its header changed. The header's page begins with the magic."""
    data = bytearray(build("api", "debug").read_bytes())
    header = data.index(struct.pack("<Q", 0x3130644961724200))
    data[header + offset_in_header:header + offset_in_header + len(value)] = value
    image = tmp_path / "bad.img"
    image.write_bytes(data)
    return image


@only_bundled
@pytest.mark.parametrize("offset, value, message", [
    (0, bytes(8), "magic 0x0, should be 0x3130644961724200"),
    (8, struct.pack("<I", 99), "version 99, should be 4"),
    (12, struct.pack("<I", 0), "0 threads, should be 1 to 255"),
    (12, struct.pack("<I", 70000), "70000 threads, should be 1 to 255"),
    (24, bytes(8), "tables outside the window"),
    (40, struct.pack("<Q", 1 << 40), "tables outside the window"),
    (16, struct.pack("<I", 0x7fffffff), "tables outside the window"),
    (56, struct.pack("<Q", 1 << 40), "tables outside the window"),
    (64, struct.pack("<I", 0x7fffffff), "tables outside the window"),
    (64, struct.pack("<I", 100), "100 turns of domains, should be 0 to 99"),
    (64, struct.pack("<I", 1), "turn 0: domain 0, duration 0x0"),
], ids=["magic", "version", "no_threads", "too_many_threads", "window", "table", "zero_count", "turns",
        "turn_count", "too_many_turns", "turn"])
def test_bad_image(tmp_path, offset, value, message):
    lines = boot(patched_image(tmp_path, offset, value), until="boot image is bad")
    assert f"boot image is bad: {message}" in lines[-1]


@only_bundled
def test_wrong_exception_level():
    lines = boot(build("api", "debug"), until="^kernel: not entered", machine="virt")
    assert "virtualization=on" in lines[-1]
