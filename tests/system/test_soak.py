# SPDX-License-Identifier: BSD-2-Clause
"""`make soak`, and its short form: each action once, and then at random for SOAK_HOURS (0)."""

import os
import sys

import pytest

import conftest

sys.path.insert(0, str(conftest.ROOT / "tests" / "soak"))

import soak  # noqa: E402  (found by the line above)

pytestmark = pytest.mark.skipif(not conftest.on_bundled_sdk(),
                                reason="it breaks programs where the bundled SDK's report says that they are")


def test_machines_are_worn_in():
    place = soak.make_guests(conftest.BUILD_DIR / "check" / "soak")
    hours = float(os.environ.get("SOAK_HOURS") or 0)
    seed = int(os.environ.get("SOAK_SEED") or (int.from_bytes(os.urandom(4), "little") if hours else 3))
    print(f"SOAK_HOURS={hours} SOAK_SEED={seed}", flush=True)
    conftest.put((soak.HERE / "soak.yaml").read_text(), place / "soak.yaml")
    command = conftest.build_with_new_disk(place / "soak.yaml")
    conftest.LOGS.mkdir(parents=True, exist_ok=True)
    soak.soak(command, hours, seed, conftest.LOGS / "test_soak.log",
              lambda text: print(text, flush=True))
