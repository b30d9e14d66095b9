# SPDX-License-Identifier: BSD-2-Clause
"""What the bundled kernel's primitives cost, in instructions: tests/kernel/primitives."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LABELS = {
    "exit_and_restart": "fault of a vCPU to its monitor and back",
    "two_exits_of_two_vcpus": "two vCPUs of one monitor, an exit of each",
    "notify_lower": "notification to a PD that waits",
    "notify_higher_and_back": "notification to a PD of higher priority, it runs, and back",
    "call_and_back": "protected call and back",
    "call_to_passive_and_back": "the same, passive server",
    "interrupt_and_ack": "interrupt to its PD, and the acknowledgement",
    "read_vcpu_register": "read of a vCPU's register",
}


def measure(options):
    environment = dict(os.environ, BRAID_SDK=options.sdk, BRAID_BUILD=options.build,
                       QEMU=options.qemu)
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider",
                           "-k", "test_primitive", str(ROOT / "tests" / "kernel")],
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    found = dict(re.findall(r"(\w+): (\d+) instructions", done.stdout))
    if done.returncode or not found:
        raise RuntimeError(done.stdout)
    return {name: int(figure) for name, figure in found.items()}
