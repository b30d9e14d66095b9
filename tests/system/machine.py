# SPDX-License-Identifier: BSD-2-Clause
"""A running system, as a person at its terminal has it: one UART, several machines behind it."""

import json
import re
import signal
import socket
import tempfile
import time

import pexpect

PREFIX = "\x1d"  # Ctrl-]
BANNER = " on this console. "  # what the multiplexer says when it is there
PROMPT = r"[\w-]+:[^\r\n#]*# "
# What a terminal obeys and a reader does not see: colours, cursor movement, modes, queries.
CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[()%][A-Z0-9]|\x1b[7-9=>cM]|[\x07\x0f\x18]")

# What is waited for is an event, and how soon it comes is the host's business: on a slow one a boot
# takes minutes. Limits are for what never comes. Only what is not to come is waited for briefly.
FAR = 1800  # seconds

# Of much output only the end is searched each time; more than one read brings (2000), so that nothing
# that came along with something else is passed over.
WINDOW = 4096


class Listener:
    """What has been read, on its way to a log: whether the multiplexer has been there."""

    def __init__(self, log):
        self.log = log
        self.greeted = False
        self.rest = ""

    def write(self, text):
        if not self.greeted:
            self.rest += text
            self.greeted = BANNER in self.rest
            self.rest = "" if self.greeted else self.rest[-len(BANNER):]
        if self.log is not None:
            self.log.write(text)

    def flush(self):
        if self.log is not None:
            self.log.flush()


class Machine:
    """QEMU with a system in it. All times are in seconds and of the host's clock."""

    def __init__(self, command, arguments=(), log=None, timeout=FAR, monitor=None):
        """`monitor`: a Monitor that is to be this QEMU's."""
        self.monitor = monitor
        arguments = [str(a) for a in (*arguments, *(monitor.arguments if monitor else ()))]
        self.child = pexpect.spawn(str(command), arguments, encoding="utf-8",
                                   codec_errors="replace", timeout=timeout, echo=False,
                                   dimensions=(50, 200))
        self.listener = Listener(log)
        self.child.logfile_read = self.listener
        self.child.delaybeforesend = None
        self.begin = time.monotonic()
        self.focused = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """End QEMU, whatever it is doing."""
        if self.child.isalive():
            self.child.kill(signal.SIGTERM)
            for _ in range(50):
                if not self.child.isalive():
                    break
                time.sleep(0.1)
        self.child.close(force=True)
        if self.monitor is not None:
            self.monitor.close()

    def send(self, text):
        self.child.send(text)

    def expect(self, pattern, timeout=-1):
        """The match of a regular expression in what comes next."""
        self.child.expect(pattern, timeout=timeout)
        return self.child.match

    # ---- The multiplexer ----

    def command(self, keys):
        """Type a command of the multiplexer's, when that is there to hear it."""
        if not self.listener.greeted:
            self.expect(re.escape(BANNER))
        self.send(PREFIX + keys)

    def show_all(self):
        self.command("a")
        self.focused = None

    def focus(self, number):
        """The console of one machine alone; `number` is the key for it."""
        self.command(str(number))
        self.focused = number

    # ---- A machine's shell ----

    def login(self, number, timeout=FAR):
        """Focus a machine and wait until its shell answers."""
        self.focus(number)
        end = time.monotonic() + timeout
        while True:
            self.send("\r")
            try:
                self.expect(PROMPT, timeout=2)
                break
            except pexpect.TIMEOUT:
                if time.monotonic() > end:
                    raise
        # Answers to earlier returns may still be on their way, and the kernel is not to interrupt.
        self.run(number, "dmesg -n 1")

    def run(self, number, command, timeout=FAR):
        """Run a command in a machine's shell; returns its status and its output.

        The marks around the output are put together by the shell, so that what the terminal echoes
        of the command line is never taken for them.
        """
        self.start(number, command)
        return self.finish(timeout)

    def start(self, number, command):
        if self.focused != number:
            self.focus(number)
        separator = " " if command.endswith("&") else "; "
        self.send(f'echo "<"begin">"; {command}{separator}echo "<"end $?">"\r')

    def finish(self, timeout=FAR):
        self.expect(r"<begin>\r*\n", timeout=timeout)
        self.child.expect(r"<end (\d+)>", timeout=timeout, searchwindowsize=WINDOW)
        status, output = int(self.child.match[1]), self.child.before
        self.expect(PROMPT, timeout=timeout)
        return status, CONTROL.sub("", output).replace("\r", "")

    def output(self, number, command, timeout=FAR):
        """The output of a command that succeeds."""
        status, output = self.run(number, command, timeout)
        assert status == 0, f"{command!r} ended with {status}: {output}"
        return output

    # ---- The network ----

    def pings(self, number, address, count=5):
        """Whether all of so many pings are answered."""
        output = self.output(number, f"ping -c {count} -i 0.2 -W 5 {address}")
        return ping_statistics(output)[:2] == (count, count)

    def listen(self, number, port, command):
        """Run a command in the background, up to where it listens at a TCP port."""
        self.output(number, command)
        self.output(number, f"until grep -qi ':{port:04x} [0-9a-f:]* 0a ' /proc/net/tcp /proc/net/tcp6; "
                            "do usleep 100000; done")

    def transfer(self, sender, receiver, address, kib=4096):
        """Send a file by TCP to the receiver's address; whether it has come through as it was."""
        self.listen(receiver, 4000, "nc -l -p 4000 </dev/null | md5sum >/tmp/got & sum=$!")
        self.output(sender, f"dd if=/dev/urandom of=/tmp/sent bs=1024 count={kib} 2>/dev/null")
        self.output(sender, f"nc {address} 4000 -e cat /tmp/sent")
        sent = self.output(sender, "md5sum </tmp/sent")
        return sent.split()[0] == self.output(receiver, "wait $sum; cat /tmp/got").split()[0]

    # ---- A disk that is written and read at random, by the program of disktool.c in /mnt ----

    def start_verifying(self, number, seconds):
        self.output(number, "rm -f /tmp/status; (/mnt/disktool verify /dev/vda "
                            f"{seconds} {number + 1} >/tmp/said 2>&1; echo $? >/tmp/status) &")

    def finish_verifying(self, number):
        """All blocks that the machine has written in the meantime are what it has written."""
        said = self.output(number, "while [ ! -s /tmp/status ]; do sleep 1; done; "
                                   "cat /tmp/said; echo status $(cat /tmp/status)")
        match = re.search(r"verified (\d+) blocks, 0 bad\nstatus 0", said)
        assert match and int(match[1]) > 100, said

    # ---- Pings that go on for as long as something else is tried ----

    def keep_pinging(self, number, target):
        """
        In the background, one after the other. Each waits for its answer for ten seconds: busybox gives
        up the last of several after one, if those before were quick, and any that is under way when it
        is told to stop; late is not lost.
        """
        self.output(number, f"rm -f /tmp/enough; while [ ! -e /tmp/enough ]; do "
                            f"ping -c 1 -W 10 {target}; usleep 200000; done >/tmp/pings 2>&1 & pings=$!")

    def stop_pinging(self, number, timeout=FAR):
        """(sent, received)"""
        output = self.output(number, "touch /tmp/enough; wait $pings; cat /tmp/pings", timeout)
        counts = [ping_statistics(run)[:2] for run in re.split(r"(?m)^(?=PING )", output)[1:]]
        return sum(sent for sent, _ in counts), sum(received for _, received in counts)


class Monitor:
    """One QEMU's own monitor (QMP), at a socket; `arguments` are for QEMU."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.path = f"{self.directory.name}/monitor"
        self.arguments = ("-qmp", f"unix:{self.path},server=on,wait=off")
        self.file = None

    def close(self):
        if self.file is not None:
            self.file.close()
        self.directory.cleanup()

    def command(self, name, **arguments):
        """What QEMU answers to a command."""
        if self.file is None:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(self.path)
                self.file = connection.makefile("rw", encoding="utf-8")
            self.command("qmp_capabilities")
        self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            assert "error" not in answer, answer
            if "return" in answer:
                return answer["return"]

    def exception_levels(self):
        """Of all cores, now. They are not stopped: that would bring each to an interrupt first."""
        text = self.command("human-monitor-command", **{"command-line": "info registers -a"})
        return [int(level) for level in re.findall(r"PSTATE=.*EL(\d)[th]", text)]


def ping_statistics(output):
    """(sent, received, average in ms or None) of what busybox's ping has printed."""
    counts = re.search(r"(\d+) packets transmitted, (\d+) packets received", output)
    assert counts, f"no statistics in {output!r}"
    times = re.search(r"min/avg/max = ([\d.]+)/([\d.]+)/([\d.]+) ms", output)
    return int(counts[1]), int(counts[2]), float(times[2]) if times else None
