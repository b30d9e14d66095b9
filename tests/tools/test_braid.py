# SPDX-License-Identifier: BSD-2-Clause
"""The command `braid` against a board of its own (braid/fake_board.c), without QEMU."""

import json
import os
import pathlib
import pty
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


@pytest.fixture(scope="session")
def programs():
    build = pathlib.Path(os.environ.get("BUILD_DIR", ROOT / "build")).resolve() / "check" / "tools"
    subprocess.run(["make", "-s", "-C", ROOT / "tools" / "braid", f"BUILD={build}", "SANITIZE=1"], check=True)
    board = build / "fake_board"
    subprocess.run(["gcc", "-std=gnu11", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
                    f"-I{ROOT}", "-o", board, ROOT / "tests/tools/braid/fake_board.c",
                    ROOT / "lib/control_link.c", ROOT / "lib/control_hello.c"], check=True)
    return build / "braid", board


class Braid:
    """Runs the command, with a state directory of its own."""

    def __init__(self, programs, directory):
        self.program, self.board_program = programs
        self.directory = directory
        self.runtime = directory / "run"
        self.runtime.mkdir(mode=0o700)
        # A command ends and leaves its memory to the system. What sanitizers say of the background
        # process nobody would see otherwise.
        options = f"exitcode=99:detect_leaks=0:log_path={directory}/sanitizer"
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.runtime), "ASAN_OPTIONS": options,
                            "UBSAN_OPTIONS": options}
        self.boards = []

    def __call__(self, *words, status=0, timeout=60, **keywords):
        keywords.setdefault("stdin", None if "input" in keywords else subprocess.DEVNULL)
        done = subprocess.run([self.program, *words], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, cwd=self.directory, check=False,
                              **{key: value for key, value in keywords.items() if value is not None})
        assert done.returncode == status, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        return done

    def popen(self, *words, **keywords):
        return subprocess.Popen([self.program, *words], env=self.environment, cwd=self.directory, **keywords)

    def board(self, name="sys", damaged=0, late=0, uptime=0):
        """Start a board. Returns its socket's port."""
        path = self.directory / f"{name}.sock"
        process = subprocess.Popen([self.board_program, path, str(damaged), str(late), str(uptime)],
                                   stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        self.boards.append(process)
        return f"unix:{path}"

    def up(self, name="sys", damaged=0, uptime=0):
        return self("up", "--port", self.board(name, damaged, uptime=uptime), name)

    def told(self, board=0):
        """What the board was told, once it has ended."""
        return self.boards[board].communicate(timeout=20)[0].splitlines()

    def state(self, name="sys"):
        return self.runtime / "braid" / name

    def pid(self, name="sys"):
        return int((self.state(name) / "pid").read_text())

    def states(self):
        lines = self("ps", "--json").stdout.splitlines()
        return {one["name"]: one["state"] for one in map(json.loads, lines)}

    def until(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.fixture
def braid(programs, tmp_path):
    braid = Braid(programs, tmp_path)
    yield braid
    for name in ("sys", "other"):
        if (braid.state(name) / "pid").exists():
            subprocess.run([braid.program, "-s", name, "down"], env=braid.environment, check=False,
                           stdin=subprocess.DEVNULL, timeout=30)
    for process in braid.boards:
        process.kill()
        process.wait()
    assert [path.read_text() for path in tmp_path.glob("sanitizer*")] == []


def is_alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


def test_up_and_down(braid):
    assert braid.up().stdout == b"sys: up, with 4 machines\n"
    pid = braid.pid()
    assert braid.state().stat().st_mode & 0o777 == 0o700
    braid("down")
    braid.until(lambda: not is_alive(pid))
    assert not braid.state().exists()
    assert braid.told() == ["session", "bye", "closed"]


def test_ps(braid):
    braid.up()
    out = braid("ps").stdout
    assert [line.split() for line in out.decode().splitlines()] == [
        ["SYSTEM", "NAME", "STATE"], ["sys", "vm0", "running"], ["sys", "deaf", "running"],
        ["sys", "odd\\x1b[31m\\x0a", "running"], ["sys", "flood", "running"]]
    objects = [json.loads(line) for line in braid("ps", "--json").stdout.splitlines()]
    assert objects[0] == {"system": "sys", "name": "vm0", "kind": "machine", "state": "running",
                          "connected": True}
    assert objects[4]["kind"] == "program"


def test_nothing_runs(braid):
    for words in (["ps"], ["console", "vm0"], ["stop", "vm0"], ["down"], ["logs"], ["events"]):
        assert b"no system runs" in braid(*words, status=3).stderr
    assert b"no system 'sys'" in braid("-s", "sys", "down", status=3).stderr


@pytest.mark.parametrize("words", [[], ["console"], ["stop"], ["stop", "a", "b"], ["ps", "--yaml"], ["up"],
                                   ["up", "--port"], ["up", "--wait", "x", "a"], ["logs", "-n", "-3"],
                                   ["logs", "--json"], ["down", "x"], ["help", "nothing"], ["events", "x"],
                                   ["console", "--linger", "x", "vm0"], ["up", "--port", "x", ".."]])
def test_usage(braid, words):
    result = braid(*words, status=2)
    assert result.stderr != b""


def test_help(braid):
    assert b"did you mean 'console'?" in braid("consle", status=2).stderr
    assert b"usage: braid" in braid("help").stdout
    assert b"--foreground" in braid("help", "up").stdout
    assert braid("--version").stdout.startswith(b"braid ")


@pytest.mark.parametrize("damaged", [0, 10])
def test_console_carries_100_kib_both_ways(braid, damaged):
    braid.up(damaged=damaged)
    sent = random.Random(1).randbytes(100 << 10)
    got = braid("console", "--linger", "2", "vm0", input=sent).stdout
    assert got == sent
    braid("down")
    assert "beyond the credit" not in braid.told()


def test_power(braid):
    braid.up()
    for verb, state in (("pause", "paused"), ("resume", "running"), ("stop", "off"), ("start", "running"),
                        ("kill", "off"), ("restart", "running")):
        braid(verb, "vm0")
        braid.until(lambda: braid.states()["vm0"] == state)
    assert b"vm0 is running" in braid("resume", "vm0", status=1).stderr
    events = [json.loads(line) for line in braid("events", "--json").stdout.splitlines()]
    assert [event["state"] for event in events if event["name"] == "vm0"] == [
        "running", "paused", "running", "off", "running", "off", "running"]
    assert CONTROL.search(braid("events").stdout) is None
    braid("down")
    assert [line for line in braid.told() if line.startswith("power")] == [
        "power 0 5", "power 0 6", "power 0 2", "power 0 1", "power 0 3", "power 0 4", "power 0 6"]


def test_wrong_names(braid):
    braid.up()
    error = braid("stop", "vm1", status=1).stderr
    assert b"no machine 'vm1': there are vm0, deaf" in error and b"did you mean 'vm0'?" in error
    assert CONTROL.search(error) is None
    assert b"no machine 'switch'" in braid("console", "switch", status=1).stderr
    assert b"there are client.2, deaf, flood, switch, vm0" in braid("logs", "vm1", status=1).stderr
    assert b"\\x1b" in braid("stop", "\x1b[2J", status=1).stderr
    assert b"did you mean 'sys'?" in braid("-s", "sy", "ps", status=1).stderr
    assert b"too long" in braid("stop", "x" * 2000, status=1).stderr


def test_logs(braid):
    braid.up()
    braid("console", "vm0", "--linger", "0.2", input=b"one\ntwo\x1b[2J\nthree\n")
    lines = braid("logs", "vm0").stdout.decode().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "Linux", "\\x1b[1mvm0\\x1b[0m login: ", "one", "two\\x1b[2J", "three"]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", line) for line in lines)
    assert braid("logs", "-n", "1", "vm0").stdout.decode().splitlines() == lines[-1:]
    everything = braid("logs").stdout
    assert CONTROL.search(everything) is None
    assert b"switch       | port 3\\x1b[2J is up\n" in everything


def texts(braid, name="vm0"):
    return [line.split(" ", 1)[1] for line in braid("logs", name).stdout.decode().splitlines()]


def wait_for_session(braid, number=2):
    """The board's first session has the number 1."""
    braid.until(lambda: braid("events").stdout.count(b" connected") >= number, 40)
    time.sleep(0.5)


LOGIN = ["Linux", "\\x1b[1mvm0\\x1b[0m login: "]


def test_a_new_session_repeats_nothing(braid):
    braid.up()
    text = b"".join(b"line %d\n" % i for i in range(2000))  # more than the board keeps
    braid("console", "vm0", "--linger", "0.2", input=text)
    before = texts(braid)
    assert len(before) == 2002
    braid.boards[0].send_signal(signal.SIGSTOP)
    time.sleep(11)
    braid.boards[0].send_signal(signal.SIGCONT)
    wait_for_session(braid)
    braid("console", "vm0", "--linger", "0.2", input=b"after\n")
    assert texts(braid) == before + ["after"]
    assert texts(braid, "switch") == ["port 3\\x1b[2J is up"]


def test_the_board_was_started_anew_and_its_time_says_so(braid):
    braid.up(uptime=8000)
    braid("console", "vm0", "--linger", "3", input=b"before\n")
    braid.boards[0].send_signal(signal.SIGUSR1)
    wait_for_session(braid)
    assert texts(braid) == LOGIN + ["before"] + LOGIN
    assert texts(braid, "switch") == ["port 3\\x1b[2J is up"] * 2
    assert braid("events").stdout.count(b"board-started-anew") == 1


def test_the_board_was_started_anew_and_its_output_says_so(braid):
    braid.up()
    braid("console", "vm0", "--linger", "0.2", input=b"before, and much of it\n" * 2)
    braid.boards[0].send_signal(signal.SIGUSR1)
    wait_for_session(braid)
    braid("console", "vm0", "--linger", "0.2", input=b"before you\n")
    assert texts(braid) == LOGIN + ["before, and much of it"] * 2 + LOGIN + ["before you"]
    assert braid("events").stdout.count(b"board-started-anew") == 1


def test_a_script_whose_input_is_lost_fails(braid):
    braid.up()
    # `deaf` reads nothing, so the input waits here. That of vm0 has arrived, and it goes on.
    waiting = braid.popen("console", "deaf", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    arrived = braid.popen("console", "vm0", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for process in waiting, arrived:
        process.stdin.write(b"x\n")
        process.stdin.flush()
    assert arrived.stdout.read(2) == b"x\n"
    time.sleep(1)
    braid.boards[0].send_signal(signal.SIGUSR1)
    _, error = waiting.communicate(timeout=30)
    assert waiting.returncode == 1 and b"session was lost" in error
    wait_for_session(braid)
    arrived.communicate(timeout=20)
    assert arrived.returncode == 0


def test_a_script_ends_while_others_type(braid):
    """Its input has arrived; it does not wait until all others' has."""
    braid.up()
    busy = braid.popen("console", "--linger", "0.2", "deaf", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    busy.stdin.write(b"x" * 1000)
    busy.stdin.flush()
    braid("console", "--linger", "0.2", "vm0", input=b"y")
    assert busy.poll() is None
    busy.kill()
    busy.wait()


def test_the_board_runs_another_system(braid):
    braid.up()
    viewer = braid.popen("console", "vm0", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    braid("console", "vm0", "--linger", "0.2", input=b"secret\n")
    braid.boards[0].send_signal(signal.SIGUSR2)
    wait_for_session(braid)
    assert b"another system" in viewer.communicate(timeout=10)[1] and viewer.returncode == 1
    assert texts(braid, "new0") == LOGIN
    assert texts(braid) == LOGIN + ["secret"]
    terminal = Terminal(braid, "new0")
    terminal.expect(b"login: ")
    assert b"secret" not in terminal.text
    assert terminal.leave() == 0


def test_logs_follow(braid):
    braid.up()
    follower = braid.popen("logs", "-f", "-n", "0", "vm0", stdout=subprocess.PIPE)
    time.sleep(0.5)
    braid("console", "vm0", "--linger", "0.2", input=b"later\n")
    assert follower.stdout.readline().endswith(b" later\n")
    braid("down")
    assert follower.wait(timeout=10) == 0


class Terminal:
    """`braid console`, or other words, at a terminal."""

    def __init__(self, braid, *words, columns=80, rows=24, **environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.pop("NO_COLOR", None)
            os.environ.update({**braid.environment, "TERM": "xterm", **environment})
            subprocess.run(["stty", "cols", str(columns), "rows", str(rows)], check=False)
            os.execv(braid.program, ["braid", *(words if len(words) > 1 else ("console", *words))])
        self.text = b""

    def expect(self, wanted, seconds=20):
        end = time.monotonic() + seconds
        while wanted not in self.text:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], self.text
            self.text += os.read(self.fd, 4096)

    def type(self, keys):
        os.write(self.fd, keys)

    def wait(self):
        """The rest of what it says; returns its exit status."""
        try:
            while part := os.read(self.fd, 4096):
                self.text += part
        except OSError:  # the terminal has no program any more
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def leave(self):
        self.type(b"\x1d")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_several_terminals(braid):
    braid.up()
    terminals = [Terminal(braid, "vm0", columns=90 + i) for i in range(3)]
    for terminal in terminals:
        terminal.expect(b"\x1b[1mvm0\x1b[0m login: ")
    for i, terminal in enumerate(terminals):
        terminal.type(b"hello %d\n" % i)
        for other in terminals:
            other.expect(b"hello %d\n" % i)
    assert [terminal.leave() for terminal in terminals] == [0, 0, 0]
    braid("down")
    sizes = [line for line in braid.told() if line.startswith("size")]
    assert sorted(sizes) == ["size 0 90x24", "size 0 91x24", "size 0 92x24"]


def test_a_machine_that_reads_nothing_holds_up_nobody(braid):
    braid.up()
    terminal = Terminal(braid, "deaf")
    terminal.expect(b"leaves]")
    for _ in range(40):
        terminal.type(b"x" * 1000)
        time.sleep(0.01)
    assert braid("console", "--linger", "0.3", "vm0", input=b"y" * 5000).stdout == b"y" * 5000
    assert terminal.leave() == 0


def test_slow_client(braid):
    braid.up()
    slow = braid.popen("console", "--linger", "1000", "flood", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    slow.stdin.write(b"x")
    slow.stdin.flush()
    time.sleep(3)  # nobody reads
    assert braid.states()["vm0"] == "running"
    assert braid("console", "--linger", "0.3", "vm0", input=b"y" * 100).stdout == b"y" * 100
    # It may take a while until the buffers of the kernel and of braid are full.
    braid.until(lambda: sum(path.stat().st_size for path in braid.state().glob("flood.log*")) > 2 << 20, 60)
    out, error = slow.communicate(timeout=20)
    assert b"flood flood" in out
    # Who has been gone for too long does not even get the message that is for it.
    assert slow.returncode == 1 and (b"too slowly" in error or b"has gone" in error)


def test_sigterm_is_down(braid):
    braid.up()
    pid = braid.pid()
    os.kill(pid, signal.SIGTERM)
    braid.until(lambda: not is_alive(pid) and not braid.state().exists())
    assert "bye" in braid.told()


def test_stale_directory(braid):
    braid.up()
    pid = braid.pid()
    os.kill(pid, signal.SIGKILL)
    braid.until(lambda: not is_alive(pid))
    assert b"does not run" in braid("ps", status=3).stderr
    assert b"vm0 login" not in braid("events").stdout
    path = braid.board("again")
    assert braid("up", "--port", path, "sys").stdout == b"sys: up, with 4 machines\n"
    assert len(braid.states()) == 5
    braid("down")
    assert not braid.state().exists()


def test_the_port_goes(braid):
    braid.up()
    terminal = Terminal(braid, "vm0")
    terminal.expect(b"leaves]")
    braid.boards[0].kill()
    terminal.expect(b"was closed at its other end")
    os.waitpid(terminal.pid, 0)
    braid.until(lambda: b"was closed at its other end" in braid("ps", status=3).stderr)
    assert b"login" in braid("logs", "vm0").stdout
    braid("down")
    assert not braid.state().exists()


def test_two_systems(braid):
    braid.up()
    braid.up("other")
    assert b"choose one with -s" in braid("stop", "vm0", status=1).stderr
    braid("-s", "other", "stop", "vm0")
    assert b"other                vm0                  off" in braid("ps").stdout
    assert b"runs already" in braid("up", "--port", braid.board("third"), "sys", status=1).stderr
    braid("-s", "other", "down")
    assert braid.states()["vm0"] == "running"


def test_port_that_is_not_there(braid):
    error = braid("up", "--port", "/dev/ttyNONE", "sys", status=1).stderr
    assert b"/dev/ttyNONE cannot be opened" in error and b"plugged in" in error
    error = braid("up", "--port", f"unix:{braid.directory}/none", "sys", status=1).stderr
    assert b"cannot be opened" in error
    assert not braid.state().exists()


def test_no_answer(braid):
    mute = socket.socket(socket.AF_UNIX)
    mute.bind(f"{braid.directory}/mute")
    mute.listen()
    process = braid.popen("up", "--wait", "3", "--port", f"unix:{braid.directory}/mute", "sys",
                          stderr=subprocess.PIPE)
    line, _ = mute.accept()
    line.sendall(b"SD card: \x1b[31mno partition\r\n")
    _, error = process.communicate(timeout=20)
    assert process.returncode == 1 and b"has not answered within 3 s" in error
    assert b"The board has said last:\n    SD card: \\x1b[31mno partition\n" in error
    # What is known of it stays.
    braid.until(lambda: b"has not answered" in braid("ps", status=3).stderr)
    assert b"no partition" in (braid.state() / "line.out").read_bytes()
    braid("down")
    assert not braid.state().exists()
    line.close()
    mute.close()


def test_no_socket(braid):
    (braid.state() / "socket").mkdir(parents=True, mode=0o700)
    for directory in (braid.state(), braid.state().parent):
        directory.chmod(0o700)
    error = braid("up", "--port", braid.board(), "sys", status=1).stderr
    assert b"the socket for commands cannot be made" in error and b"in use" in error


def test_the_directory_is_removed(braid):
    braid.up()
    pid = braid.pid()
    shutil.rmtree(braid.state())
    braid.until(lambda: not is_alive(pid), 5)
    assert "bye" in braid.told()


def test_each_hello_has_a_token_of_its_own(braid):
    mute = socket.socket(socket.AF_UNIX)
    mute.bind(f"{braid.directory}/mute")
    mute.listen()
    process = braid.popen("up", "--wait", "4", "--port", f"unix:{braid.directory}/mute", "sys",
                          stderr=subprocess.DEVNULL)
    line, _ = mute.accept()
    sent = b""
    while part := line.recv(1000):
        sent += part
    assert process.wait(timeout=20) == 1
    tokens = re.findall(rb"\x1d\x02braid1([0-9a-f]{16})[0-9a-f]{8}", sent)
    assert len(tokens) >= 4 and len(set(tokens)) == len(tokens)


def test_an_old_hello_is_of_no_use(braid):
    error = braid("up", "--wait", "6", "--port", braid.board(late=3500), "sys", status=1).stderr
    assert b"has not answered" in error


def test_the_newest_hello_counts(braid):
    """When its first hello is answered, the second one is under way already."""
    assert braid("up", "--port", braid.board(late=1500), "sys").stdout == b"sys: up, with 4 machines\n"
    time.sleep(2)
    assert braid("console", "--linger", "0.3", "vm0", input=b"y" * 100).stdout.endswith(b"y" * 100)
    braid("down")
    assert braid.told() == ["session", "session", "bye", "closed"]


def test_a_hello_does_not_stop_a_loader(braid):
    board, port = pty.openpty()
    process = braid.popen("up", "--wait", "14", "--port", os.ttyname(port), "sys", stderr=subprocess.DEVNULL)

    def heard(seconds, says=b""):
        text = b""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if says:
                os.write(board, says)
            if select.select([board], [], [], min(left, 0.5))[0]:
                text += os.read(board, 1000)
        return text

    assert b"braid1" in heard(0.9)  # the board may run already
    os.write(board, b"U-Boot 2023\r\n")
    assert b"braid1" not in heard(5, b"Hit any key to stop autoboot: 2 \b")
    assert b"braid1" not in heard(2)
    assert b"braid1" in heard(2.5)
    os.write(board, b"Linux\r\n")
    assert b"braid1" not in heard(1.5)
    os.write(board, b"Braid: 2 machines on this ")
    os.write(board, b"console. Ctrl-] ? helps.\r\n")
    assert b"braid1" in heard(1.2)
    process.kill()
    process.wait()
    os.close(board)
    os.close(port)


def test_foreground(braid):
    process = braid.popen("up", "--foreground", "--port", braid.board(), "sys", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"sys: up, with 4 machines\n"
    assert braid.states()["vm0"] == "running"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    assert not braid.state().exists()
    assert "bye" in braid.told()


def test_a_directory_open_to_others_is_refused(braid):
    (braid.runtime / "braid").mkdir(mode=0o755)
    (braid.runtime / "braid").chmod(0o755)
    assert b"open to others" in braid("up", "--port", braid.board(), "sys", status=1).stderr
    (braid.runtime / "braid").chmod(0o700)


def test_colour(braid):
    braid.up()
    braid("pause", "deaf")
    for environment, colour in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        terminal = Terminal(braid, "-s", "sys", "ps", **environment)
        assert terminal.wait() == 0
        assert (b"\x1b[32mrunning\x1b[0m\r\n" in terminal.text) == colour
        assert (b"\x1b[33mpaused\x1b[0m\r\n" in terminal.text) == colour
        assert (b"\x1b[" in terminal.text) == colour
    assert b"\x1b" not in braid("ps").stdout
