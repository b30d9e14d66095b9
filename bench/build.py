# SPDX-License-Identifier: BSD-2-Clause
"""Builds what is measured: systems of the benchmark's own, with its program in their initramfs."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "system"))
sys.path.insert(0, str(ROOT / "guest"))

import doorbell  # noqa: E402  (found by the lines above)
import frames  # noqa: E402
import latency  # noqa: E402
import pack  # noqa: E402
import shares  # noqa: E402

HEAD = "# SPDX-License-Identifier: BSD-2-Clause\n# Made by bench/build.py.\n"
PAIR = "vms:\n  vm: {{count: 2, ip: 192.168.1.1/24}}\n"
SYSTEMS = {
    "bench_isolated": "defaults: {path: isolated}\n" + PAIR.format(),
    "bench_vhost": "defaults: {path: vhost}\n" + PAIR.format(),
    "bench_disk": "vms:\n  vm0: {ip: 192.168.1.1/24, disks: [64 MiB]}\n",
    "bench_uplink": "switches:\n  net0: {uplink: yes}\nvms:\n  vm0: {ip: 10.0.2.15/24}\n",
}
for path in ("isolated", "vhost"):
    for count in (2, 4, 8):
        SYSTEMS[f"bench_{path}_{count}"] = (
            f"defaults: {{path: {path}}}\nvms:\n"
            f"  vm: {{count: {count}, memory: 96 MiB, ip: 192.168.1.1/24}}\n")
# The part `cores`: the same on one core and on several. A machine with several vCPUs names a core for
# each; on one core there is none to name.
for path in ("isolated", "vhost"):
    for cores in (1, 2):
        SYSTEMS[f"bench_{path}_on_{cores}"] = f"cores: {cores}\n" + SYSTEMS[f"bench_{path}"]
for vcpus, cores, cpu in ((1, 1, ""), (2, 1, ""), (2, 2, ", cpu: [0, 1]"),
                          (4, 1, ""), (4, 2, ", cpu: [0, 1, 0, 1]")):
    SYSTEMS[f"bench_{vcpus}_vcpus_on_{cores}"] = (
        f"cores: {cores}\nvms:\n  vm0: {{vcpus: {vcpus}{cpu}, ip: 192.168.1.1/24}}\n")


for seconds in latency.SECONDS:
    for name in latency.NEIGHBOURS:
        SYSTEMS[f"bench_latency_{name}_{seconds}"] = latency.system(name, seconds)
SYSTEMS["bench_latency_doorbell"] = doorbell.SYSTEM
SYSTEMS["bench_ping_beside"] = shares.ping_system()
for way in shares.WAYS:
    for name in latency.NEIGHBOURS:
        for windows in shares.COUNTS:
            SYSTEMS[f"bench_share_{way}_{name}_{windows}"] = shares.system(way, name, windows)
for path in frames.PATHS:
    for what in frames.WHAT:
        SYSTEMS[f"bench_frames_{path}_{what}"] = frames.system(path, what)
OWN_GUESTS = ("bench_latency", "bench_ping", "bench_share", "bench_frames")


def initramfs(options):
    """The guests' initramfs with bench/guest/meter.c's program appended."""
    out = pathlib.Path(options.build) / "bench"
    out.mkdir(parents=True, exist_ok=True)
    program, image = out / "meter", out / "initramfs.img"
    sources = [ROOT / "bench" / "guest" / "meter.c", pathlib.Path(options.initramfs),
               pathlib.Path(__file__)]
    if image.exists() and image.stat().st_mtime > max(s.stat().st_mtime for s in sources):
        return image
    subprocess.run(["aarch64-linux-gnu-gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror",
                    "-static", "-s", "-o", program, sources[0]], check=True)
    archive = pack.Archive()
    archive.file("usr/bin/meter", program.read_bytes(), 0o755)
    image.write_bytes(sources[1].read_bytes() + archive.bytes())
    return image


def system(options, name, board="qemu_virt_aarch64"):
    """The command that runs one of SYSTEMS, built for the SDK that is measured."""
    directory = pathlib.Path(options.build) / "bench" / "systems"
    directory.mkdir(parents=True, exist_ok=True)
    source = directory / f"{name}.yaml"
    if name.startswith(OWN_GUESTS):
        latency.make_guests(directory)
    text = HEAD + f"description: {name.replace('_', ' ')}\n" + SYSTEMS[name]
    if not source.exists() or source.read_text() != text:
        source.write_text(text)
    bundled = options.sdk == str(pathlib.Path(options.build) / "sdk" / "microkit-sdk")
    command = [options.make, "--no-print-directory", "-C", str(ROOT),
               f"BUILD_DIR={options.build}", f"SYSTEM={source}", "MICROKIT_CONFIG=release",
               f"MICROKIT_BOARD={board}", f"LINUX={options.kernel}", f"INITRD={options.image}"]
    if not bundled:
        command.append(f"MICROKIT_SDK={options.sdk}")
    subprocess.run([*command, "image"], check=True, stdin=subprocess.DEVNULL)
    said = subprocess.run([*command, "directory"], check=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True).stdout
    return pathlib.Path(said.splitlines()[-1]) / "run"
