# SPDX-License-Identifier: BSD-2-Clause
"""The command `braid`, as a person or a script has it."""

import json
import os
import re
import select
import subprocess
import time

import conftest
import pexpect


class Braid:
    """Runs the command, with a state directory of its own."""

    def __init__(self, directory):
        self.program = conftest.BUILD_DIR / "tools" / "braid"
        self.directory = directory
        settings = {"BUILD_DIR": str(conftest.BUILD_DIR), "MICROKIT_CONFIG": conftest.CONFIG}
        if not conftest.on_bundled_sdk():
            settings["MICROKIT_SDK"] = str(conftest.SDK)
        self.environment = {**os.environ, **settings, "XDG_RUNTIME_DIR": str(directory), "NO_COLOR": "1"}
        if conftest.on_bundled_sdk():
            self.environment.pop("MICROKIT_SDK", None)
        self.terminals = {}

    def __call__(self, *words, status=0, timeout=120):
        done = subprocess.run([self.program, *words], env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout,
                              check=False)
        assert done.returncode == status, (words, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def up(self, path):
        with conftest.alone():
            return self("up", path, timeout=600)

    def states(self):
        return {one["name"]: one["state"] for one in map(json.loads, self("ps", "--json").splitlines())}

    def pid(self, name):
        return int((self.directory / "braid" / name / "pid").read_text())

    def terminal(self, name):
        """A console that stays open, whose input is a pipe."""
        if name not in self.terminals:
            self.terminals[name] = subprocess.Popen(
                [self.program, "console", name], env=self.environment, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return self.terminals[name]

    def run(self, name, command, timeout=180):
        """The output of a command in a machine. It must succeed."""
        terminal = self.terminal(name)
        terminal.stdin.write(f'{command}; echo "<"end $?">"\n'.encode())
        terminal.stdin.flush()
        said, end = b"", time.monotonic() + timeout
        while not (found := re.search(rb"<end (\d+)>", said)):
            assert time.monotonic() < end and terminal.poll() is None, said[-2000:]
            if select.select([terminal.stdout], [], [], 1)[0]:
                said += os.read(terminal.stdout.fileno(), 65536)
        assert found[1] == b"0", said[-2000:]
        return said[:found.start()].decode("utf-8", "replace")

    def close(self):
        for terminal in self.terminals.values():
            terminal.kill()
            terminal.wait()
        self.terminals.clear()

    def counters(self):
        """{(name, kind, number): {word: value}} of all machines."""
        sets = map(json.loads, self("stats", "--json").splitlines())
        return {(one["name"], one["kind"], one.get("number", 0)): one for one in sets}


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


class Terminal:
    """A command at a terminal of its own: `braid console NAME`, or `braid top`."""

    def __init__(self, braid, *words):
        self.child = pexpect.spawn(str(braid.program), list(words), env=braid.environment, timeout=120,
                                   dimensions=(24, 100))
        self.child.delaybeforesend = None

    def expect(self, pattern):
        self.child.expect(pattern)

    def type(self, keys):
        self.child.send(keys)

    def leave(self, keys):
        """Type what ends it; returns its exit status."""
        self.type(keys)
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus
