# SPDX-License-Identifier: BSD-2-Clause
"""What `make bench` measures: each figure is of its own system."""

import pathlib
import sys
import types

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "system")]

import bench  # noqa: E402


def test_each_task_runs_its_own_system(monkeypatch):
    def of_arguments(*arguments):
        """What a task was called with that is a system's command."""
        return next(a for a in arguments if isinstance(a, str) and a.startswith("run "))

    monkeypatch.setattr(bench.build, "system",
                        lambda options, name, board="qemu_virt_aarch64": f"run {name} on {board}")
    for module, name in ((bench, "late"), (bench, "scaling"), (bench, "path"), (bench, "loopback"),
                         (bench, "share"), (bench, "ping_beside"), (bench.frames, "measure"),
                         (bench.doorbell, "measure"), (bench.exits, "per_segment"), (bench.boards, "measure"),
                         (bench.devices, "through_braid")):
        monkeypatch.setattr(module, name, of_arguments)
    options = types.SimpleNamespace(parts=bench.PARTS, latency_seconds=60, windows=100, counts=[2, 4],
                                    devices=True, build="build", sdk="build/sdk/microkit-sdk")
    runs = {name: f"run bench_{name} on qemu_virt_aarch64" for name in bench.PATHS}
    tasks = bench.in_virtual_time(runs, None, options)
    for name in ("disk", "uplink"):
        del tasks["devices", "direct", name]
    systems = {place: task().removeprefix("run ").split(" on ") for place, task in tasks.items()}
    for name in bench.latency.NEIGHBOURS:
        assert systems["latency", "beside", name][0] == f"bench_latency_{name}_60"
        for way in bench.shares.WAYS:
            assert systems["latency", "share", way, name][0] == f"bench_share_{way}_{name}_100"
    assert systems["latency", "ping"][0] == "bench_ping_beside"
    for path in bench.PATHS:
        for what in bench.frames.WHAT:
            assert systems["frames", f"{path}_{what}"][0] == f"bench_frames_{path}_{what}"
    assert systems["latency", "doorbell"] == ["bench_latency_doorbell", "qemu_virt_aarch64"]
    for name in bench.PATHS:
        assert systems["virtual", name][0] == systems["exits", name][0] == f"bench_{name}"
        for count in ("2", "4"):
            assert systems["scaling", name, count][0] == f"bench_{name}_{count}"
    assert {name: systems["devices", "braid", name][0] for name in ("disk", "uplink")} == {
        "disk": "bench_disk", "uplink": "bench_uplink"}
    assert all(systems["boards", board][1] == board for board in bench.boards.BOARDS)
