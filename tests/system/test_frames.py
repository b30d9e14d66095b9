# SPDX-License-Identifier: BSD-2-Clause
"""Machines that flood their switch in batches (bare/flooder.c; `make bench`, its part `frames`).

QEMU counts instructions as time, so that a busy host makes no difference.
"""

import sys

import pytest

import conftest

sys.path.insert(0, str(conftest.ROOT / "bench"))

import frames  # noqa: E402  (found by the line above)

VIRTUAL = ("-icount", "shift=1,sleep=off")
# Instructions of the switch for a frame: what is measured, 342, and what another compiler may add.
MOST = 355


def system(what):
    place = conftest.BUILD_DIR / "check" / "bare"
    conftest.make_bare(place)
    path = place / f"frames_{what}.yaml"
    conftest.put("# SPDX-License-Identifier: BSD-2-Clause\n" + frames.system("isolated", what), path)
    return path


def test_flooders_have_equal_parts_of_the_switch(boot):
    """Three send all the time, more than the switch's budget is for: none has less than another."""
    found = frames.reports(boot(system("one"), VIRTUAL, timeout=300))
    senders = [report.sent for report in found if report.sent]
    assert len(senders) == 3
    assert min(senders) > 0.95 * max(senders)
    # The switch is faster than the receiver, whose queue is full at times.
    assert sum(report.received for report in found) > 0.9 * sum(senders)
    assert not any(report.wrong for report in found)


@pytest.mark.skipif(not conftest.on_bundled_sdk(), reason="counted for the bundled SDK alone")
def test_what_a_frame_costs_the_switch():
    got = frames.measure(conftest.build(system("all")), VIRTUAL)
    assert got["frames"] > 200 and got["received_per_s"] > 0.95 * got["sent_per_s"]
    assert 200 < got["instructions"] <= MOST
