#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make demo`: boot two machines, let one ping the other while you watch, power both off.

    demo.py COMMAND

COMMAND boots virtio_demo. Ends with status 0 only if not one packet was lost.
"""

import re
import sys
import time

import pexpect

import machine

# For the last answer ping waits a second, and a host may stand still for longer: then once more.
TRIES = 5
# What one types on vm1. vm0 has had 192.168.1.1 since it booted.
TYPED = ["ifconfig eth0 192.168.1.2", "ping -c 6 192.168.1.1"]


class Transcript:
    """What comes from the terminal, without what only a terminal understands."""

    def __init__(self, out):
        self.out = out
        self.rest = ""

    def write(self, text):
        text = (self.rest + text).replace("\r", "")
        # A control sequence may come in two pieces.
        cut = text.rfind("\x1b")
        whole = cut < 0 or machine.CONTROL.match(text, cut)
        self.rest = "" if whole else text[cut:]
        self.out.write(machine.CONTROL.sub("", text if whole else text[:cut]))

    def flush(self):
        self.out.flush()


def power_off(system, number):
    system.focus(number)
    system.send("poweroff\r")
    system.expect(r"powered off[^\n]*\n")  # the whole line is shown


def ping(system):
    """Type the lines; returns (sent, received, whether only the last answer has not come yet)."""
    for line in TYPED:
        system.send(line + "\r")
        system.expect(re.escape(line))
        system.expect(machine.PROMPT)
    output = machine.CONTROL.sub("", system.child.before)
    sent, received, _ = machine.ping_statistics(output)
    last_is_missing = f"seq={sent - 1} " not in output
    return sent, received, received == sent - 1 and last_is_missing


def demo(system):
    system.show_all()
    waiting = {"vm0", "vm1"}
    while waiting:
        waiting.discard(system.expect(r"(vm\d) is ready")[1])
    print(f"\n---- both are up after {time.monotonic() - system.begin:.1f} s; now on vm1\n",
          flush=True)
    system.focus(1)
    system.send("\r")
    system.expect(machine.PROMPT)
    for _ in range(TRIES):
        sent, received, late = ping(system)
        if not late:
            break
    print("\n\n---- powering both off\n", flush=True)
    power_off(system, 1)
    power_off(system, 0)
    return sent, received


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: demo.py COMMAND")
    transcript = Transcript(sys.stdout)
    try:
        with machine.Machine(sys.argv[1], log=transcript) as system:
            sent, received = demo(system)
    except (pexpect.TIMEOUT, pexpect.EOF) as error:
        what = "the emulator ended" if isinstance(error, pexpect.EOF) else "what was to come did not"
        sys.exit(f"\n\ndemo: {what}; the transcript is above")
    print(f"\n---- {received} of {sent} packets came back")
    sys.exit(0 if sent > 0 and received == sent else 1)


if __name__ == "__main__":
    main()
