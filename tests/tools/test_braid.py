# SPDX-License-Identifier: BSD-2-Clause
"""The command `braid` against a board of its own (braid/fake_board.c), without QEMU."""

import fcntl
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
import struct
import subprocess
import termios
import time

import pytest

# A shell that runs a command in the background has it ignore SIGINT, and so would the programs here.
signal.signal(signal.SIGINT, signal.default_int_handler)

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

    def board(self, name="sys", damaged=0, late=0, uptime=0, counters=""):
        """Start a board. Returns its socket's port."""
        path = self.directory / f"{name}.sock"
        process = subprocess.Popen([self.board_program, path, str(damaged), str(late), str(uptime), counters],
                                   stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        self.boards.append(process)
        return f"unix:{path}"

    def up(self, name="sys", damaged=0, uptime=0, counters=""):
        port = self.board(name, damaged, uptime=uptime, counters=counters)
        return self("up", "--port", port, name)

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


def test_up_waits_for_the_states(braid):
    """Of machines whose monitors have not begun yet, but not for ever."""
    braid.up(counters="untold")
    assert braid.states()["vm0"] == "running"
    braid("down")
    began = time.monotonic()
    assert "other: up" in braid.up("other", counters="mute").stdout.decode()
    assert 3 <= time.monotonic() - began < 20
    assert braid.states()["vm0"] == "unknown"


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
    for words in (["ps"], ["console", "vm0"], ["stop", "vm0"], ["down"], ["logs"], ["events"],
                  ["stats"], ["stats", "vm0", "--json"], ["top"], ["top", "-n", "1"]):
        assert b"no system runs" in braid(*words, status=3).stderr
    assert b"no system 'sys'" in braid("-s", "sys", "down", status=3).stderr


@pytest.mark.parametrize("words", [[], ["console"], ["stop"], ["stop", "a", "b"], ["ps", "--yaml"], ["up"],
                                   ["up", "--port"], ["up", "--wait", "x", "a"], ["logs", "-n", "-3"],
                                   ["logs", "--json"], ["down", "x"], ["help", "nothing"], ["events", "x"],
                                   ["console", "--linger", "x", "vm0"], ["up", "--port", "x", ".."],
                                   ["stats", "a", "b"], ["stats", "--yaml"], ["stats", "--watch", "0"],
                                   ["stats", "--json", "--openmetrics"],
                                   ["stats", "--openmetrics", "--watch"],
                                   ["top", "x"], ["top", "0"], ["top", "1", "2"], ["top", "-n", "0"],
                                   ["top", "-x"]])
def test_usage(braid, words):
    result = braid(*words, status=2)
    assert result.stderr != b""


def test_help(braid):
    assert b"did you mean 'console'?" in braid("consle", status=2).stderr
    assert b"usage: braid" in braid("help").stdout
    assert b"--foreground" in braid("help", "up").stdout
    assert b"--openmetrics" in braid("help", "stats").stdout and b"-n" in braid("help", "top").stdout
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

    def resize(self, columns, rows):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def is_raw(self):
        return termios.tcgetattr(self.fd)[3] & (termios.ICANON | termios.ECHO) == 0

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


# ---- Counters ----

VM0 = """\
vm0: running
  vCPUs       25.0 % busy, 25.0 s of 100 s
  monitor     1.20 s
  exits       1234: 1000 mmio, 200 wfx, 34 hypercall
  interrupts  555
  starts      2; crashes 1
"""
VM0_PORT = """\
  net0        switch: sent 100 frames, 12.3 kB; received 90 frames, 999 B
              sent and dropped: 3 short, 1 vlan
              not received: 7 full
"""
VM0_DISK = """\
  disk0       read 60 times, 61.4 kB; written 30 times, 3.00 MB
              flushes 9; discards 0; errors 1
              in flight 20.0 us on average, 99 of 100 at most 32.0 us
"""
# Its monitor writes the highest number into all words.
DEAF = """\
deaf: running
  vCPUs       100.0 % busy, 18446744074 s of 18446744074 s
  monitor     18446744074 s
  exits       MAX: MAX mmio, MAX fetch, MAX wfx, MAX hypercall, MAX sysreg, MAX timer, MAX eoi, MAX other
  interrupts  MAX
  starts      MAX; crashes MAX
""".replace("MAX", str(2**64 - 1))
DEAF_DISK = """\
  disk0       read 2 times, 8.19 kB; written 0 times, 0 B
              flushes 0; discards 0; errors 0
              in flight 15.0 s on average, 99 of 100 more than 12.6 s
"""
SWITCH = """\
switch:
  uplink      switch: sent 5 frames, 320 B; received 0 frames, 0 B
"""
RATES = """\
vm0: running
  vCPUs       75.0 % busy, 150.0 % of a processor
  monitor     5.0 % of a processor
  exits       110/s: 100/s mmio, 10/s wfx
  interrupts  5/s
  starts      2; crashes 1
  net0        switch: sent 25/s, 1.00 Mbit/s; received 12.5/s, 500 bit/s
              sent and dropped: 1/s short
  disk0       read 5/s, 20.5 kB/s; written 2/s, 0 B/s
              flushes 0.5/s; discards 0/s; errors 0/s
              in flight 20.0 us on average, 99 of 100 at most 16.0 us
"""


@pytest.mark.parametrize("name, text", [
    ([], VM0 + VM0_PORT + VM0_DISK + DEAF + DEAF_DISK + SWITCH), (["vm0"], VM0 + VM0_PORT + VM0_DISK),
    (["deaf"], DEAF + DEAF_DISK), (["switch"], "vm0: running\n" + VM0_PORT + SWITCH)])
@pytest.mark.parametrize("damaged", [0, 10])
def test_stats(braid, name, text, damaged):
    braid.up(damaged=damaged)
    assert braid("stats", *name).stdout.decode() == text


def test_stats_of_nothing(braid):
    braid.up()
    assert (b"no machine or switch with counters 'vm1': there are vm0, deaf, switch; did you mean 'vm0'?"
            in braid("stats", "vm1", status=1).stderr)
    assert b"there are" in braid("stats", "flood", status=1).stderr  # nothing of it is counted


def test_stats_json(braid):
    braid.up()
    objects = [json.loads(line) for line in braid("stats", "--json").stdout.splitlines()]
    assert [(one["kind"], one["name"]) for one in objects] == [
        ("machine", "vm0"), ("machine", "deaf"), ("port", "vm0"), ("port", "switch"), ("disk", "vm0"),
        ("disk", "deaf")]
    assert objects[0] == {
        "system": "sys", "kind": "machine", "name": "vm0", "board_ns": 10**10, "vcpu_time_ns": 10**11,
        "busy_time_ns": 25 * 10**9, "monitor_time_ns": 1200000000, "exits_mmio": 1000, "exits_fetch": 0,
        "exits_wfx": 200, "exits_hypercall": 34, "exits_sysreg": 0, "exits_timer": 0, "exits_eoi": 0,
        "exits_other": 0, "interrupts": 555, "starts": 2, "crashes": 1}
    assert set(list(objects[1].values())[4:]) == {2**64 - 1}
    port = objects[2]
    assert (port["number"], port["switch"], port["sent_frames"], port["received_dropped_full"]) == (
        0, "switch", 100, 7)
    disk = objects[4]
    assert disk["flight_time_ns"] == 99 * 20000
    assert disk["latency"] == [0] * 7 + [98, 0, 1] + [0] * 38
    assert objects[5]["latency"] == [0] * 47 + [2]


class OpenMetrics:
    """Reads the text format of OpenMetrics 1.0, and takes nothing that is not it."""

    NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
    LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[n"\\])*"'
    SAMPLE = re.compile(rf"({NAME})\{{({LABEL}(?:,{LABEL})*)\}} (\d+(?:\.\d+)?)")
    META = re.compile(rf"# (TYPE|UNIT|HELP) ({NAME}) (.+)")
    SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}

    def __init__(self, text):
        assert text.endswith("# EOF\n") and text.count("# EOF") == 1
        self.types, self.units, self.helps, self.samples = {}, {}, {}, {}
        family, begun = None, set()
        for line in text.splitlines()[:-1]:
            if line.startswith("#"):
                kind, name, rest = self.META.fullmatch(line).groups()
                if name != family:
                    assert name not in begun
                    begun.add(family := name)
                known = {"TYPE": self.types, "UNIT": self.units, "HELP": self.helps}[kind]
                assert name not in known and not any(key[0].startswith(name) for key in self.samples)
                known[name] = rest
            else:
                self.take(family, line)
        for name, unit in self.units.items():
            assert name.endswith(f"_{unit}")
        assert set(self.types) == set(self.helps) == begun
        for name, kind in self.types.items():
            if kind == "histogram":
                self.check_histogram(name)

    def take(self, family, line):
        name, labels, value = self.SAMPLE.fullmatch(line).groups()
        assert name in [family + suffix for suffix in self.SUFFIXES[self.types[family]]]
        pairs = [label.split("=", 1) for label in re.findall(self.LABEL, labels)]
        assert len({key for key, _ in pairs}) == len(pairs)
        key = name, tuple(sorted((key, value[1:-1]) for key, value in pairs))
        assert key not in self.samples
        self.samples[key] = int(value) if value.isdigit() else float(value)

    def check_histogram(self, name):
        owners = {}
        for (sample, labels), value in self.samples.items():
            if sample == name + "_bucket":
                owner = tuple(label for label in labels if label[0] != "le")
                owners.setdefault(owner, []).append((float(dict(labels)["le"]), value))
        for owner, buckets in owners.items():
            assert buckets == sorted(buckets) and len(dict(buckets)) == len(buckets)
            assert [value for _, value in buckets] == sorted(value for _, value in buckets)
            assert buckets[-1] == (float("inf"), self.samples[name + "_count", owner])
            assert (name + "_sum", owner) in self.samples

    def __call__(self, name, **labels):
        return self.samples[name, tuple(sorted(labels.items()))]


@pytest.mark.parametrize("wrong", [
    "", "# EOF", "a_total 1\n# EOF\n", "# EOF\n# EOF\n",
    '# TYPE a counter\n# HELP a x\na_total{b="c"} 1\na_total{b="c"} 2\n# EOF\n',
    '# TYPE a counter\n# HELP a x\na{b="c"} 1\n# EOF\n',
    '# TYPE a counter\n# HELP a x\na_total{b="c} 1\n# EOF\n',
    '# TYPE a counter\n# UNIT a seconds\n# HELP a x\na_total{b="c"} 1\n# EOF\n',
    '# TYPE a counter\n# HELP a x\na_total{b="c"} 1\n# TYPE b counter\n# HELP b x\nb_total{b="c"} 1\n'
    'a_total{b="d"} 1\n# EOF\n'])
def test_what_is_no_openmetrics_is_noticed(wrong):
    with pytest.raises((AssertionError, AttributeError, KeyError, TypeError)):
        OpenMetrics(wrong)


def test_stats_openmetrics(braid):
    braid.up()
    metrics = OpenMetrics(braid("stats", "--openmetrics").stdout.decode())
    vm0 = {"system": "sys", "machine": "vm0"}
    assert metrics("braid_machine_exits_total", **vm0, cause="mmio") == 1000
    assert metrics("braid_machine_exits_total", system="sys", machine="deaf", cause="eoi") == 2**64 - 1
    assert metrics("braid_machine_busy_seconds_total", **vm0) == 25
    assert metrics("braid_machine_monitor_seconds_total", **vm0) == 1.2
    assert metrics("braid_machine_state", **vm0, state="running") == 1
    assert metrics("braid_machine_state", **vm0, state="paused") == 0
    port = {**vm0, "interface": "0", "switch": "switch"}
    assert metrics("braid_port_sent_bytes_total", **port) == 12345
    assert metrics("braid_port_received_dropped_total", **port, cause="full") == 7
    disk = {**vm0, "disk": "0"}
    duration = "braid_disk_request_duration_seconds"
    assert metrics(f"{duration}_bucket", **disk, le="1.2e-05") == 0
    assert metrics(f"{duration}_bucket", **disk, le="1.6e-05") == 98
    assert metrics(f"{duration}_bucket", **disk, le="12.582912") == 99
    assert metrics(f"{duration}_count", **disk) == 99
    assert metrics(f"{duration}_sum", **disk) == 0.00198
    assert metrics(f"{duration}_bucket", system="sys", machine="deaf", disk="0", le="12.582912") == 0
    assert (metrics.helps["braid_port_sent_bytes"] ==
            "bytes of frames taken from the port, dropped ones included")
    assert metrics.helps["braid_machine_exits"].startswith("exits (mmio: accesses to emulated registers; ")
    braid.up("other")
    both = OpenMetrics(braid("stats", "vm0", "--openmetrics").stdout.decode())
    assert both("braid_machine_starts_total", **vm0) == both("braid_machine_starts_total", system="other",
                                                             machine="vm0") == 2


def test_stats_of_two_systems(braid):
    braid.up()
    braid.up("other")
    out = braid("stats", "vm0").stdout.decode().replace("(other)", "(sys)")
    assert out == 2 * (VM0 + VM0_PORT + VM0_DISK).replace("vm0:", "vm0 (sys):")
    assert braid("-s", "other", "stats", "vm0").stdout.startswith(b"vm0: running\n")
    rows = braid("top", "-n", "1", "0.2").stdout.decode().splitlines()
    assert rows[0].split()[:3] == ["SYSTEM", "NAME", "STATE"]
    assert [row.split()[:4] for row in rows[1:3]] == [["other", "vm0", "running", "150.0"],
                                                      ["sys", "vm0", "running", "150.0"]]


def test_stats_watch(braid):
    braid.up()
    process = braid.popen("stats", "vm0", "--watch", "0.3", stdout=subprocess.PIPE, text=True)
    for _ in range(2):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n", process.stdout.readline())
        assert "".join(process.stdout.readline() for _ in RATES.splitlines()) == RATES
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == -signal.SIGINT
    process = braid.popen("stats", "--watch", "0.3", "--json", "vm0", stdout=subprocess.PIPE, text=True)
    times = [json.loads(process.stdout.readline())["board_ns"] for _ in range(9)][::3]
    assert [later - earlier for earlier, later in zip(times, times[1:])] == [2 * 10**9] * 2
    braid("down")
    process.stdout.read()
    assert process.wait(timeout=10) in (1, 3)


def test_stats_watch_at_a_terminal(braid):
    braid.up()
    terminal = Terminal(braid, "stats", "--watch", "0.3", columns=30, rows=5)
    terminal.expect(b"\x1b[32mrunning")
    terminal.expect(b"75.0 % busy, 150\r\n")
    terminal.expect(b"interrupts  5/s\x1b[K")
    terminal.type(b"\x03")
    assert terminal.wait() == -signal.SIGINT
    page = terminal.text.split(b"\x1b[H")[2].removesuffix(b"^C")
    lines = [re.sub(rb"\x1b\[\d*[mK]", b"", line) for line in page.split(b"\r\n")]
    assert len(lines) == 5 and max(len(line) for line in lines) == 30


def test_the_board_is_started_anew_while_it_is_watched(braid):
    braid.up(uptime=8000)
    process = braid.popen("stats", "vm0", "--watch", "0.3", "--json", stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    process.stdout.readline()
    braid.boards[0].send_signal(signal.SIGUSR1)
    _, error = process.communicate(timeout=40)
    assert process.returncode == 1 and b"board" in error and b"answer" in error


TOP = """\
NAME            STATE    BUSY%  MON% EXIT/s INT/s RXb/s TXb/s RDB/s WRB/s OPS/s STARTS
vm0             running  150.0   5.0    110     5   500 1.00M 20.5k     0   7.5      2
deaf            running    0.0   0.0      0     0     0     0     0     0     0 18446744073709551615
flood           running      -     -      -     -     -     -     -     -     -      0
odd\\x1b[31m\\x0a running      -     -      -     -     -     -     -     -     -      0
"""


def test_top_without_a_terminal(braid):
    braid.up()
    assert braid("top", "-n", "2", "0.3").stdout.decode() == TOP + "\n" + TOP
    process = braid.popen("top", "0.3", stdout=subprocess.PIPE, text=True)
    assert "".join(process.stdout.readline() for _ in range(11)) == TOP + "\n" + TOP
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == -signal.SIGTERM


ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l\x1b[?7l", b"\x1b[?7h\x1b[?25h\x1b[?1049l"


def test_top(braid):
    braid.up()
    braid("pause", "deaf")
    terminal = Terminal(braid, "top", "0.3", columns=60, rows=5)
    terminal.expect(ENTER)
    terminal.expect(b"braid top: sys; each 0.3 s; q leaves")
    terminal.expect(b"\x1b[32mrunning\x1b[0m  150.0   5.0")
    terminal.expect(b"\x1b[33mpaused\x1b[0m")
    assert terminal.is_raw()
    pages = terminal.text.split(b"\x1b[H")
    assert b"flood" not in pages[-1]
    for page in pages[1:-1]:
        lines = [re.sub(rb"\x1b\[\d*[mKJ]", b"", line) for line in page.split(b"\r\n")]
        assert len(lines) == 5 and max(len(line) for line in lines) <= 60
    terminal.text = b""
    terminal.resize(100, 24)
    terminal.expect(b"flood")
    terminal.expect(b"STARTS")
    terminal.type(b"xyq")
    assert terminal.wait() == 0
    assert terminal.text.count(LEAVE) == 1 and terminal.text.endswith(LEAVE)
    terminal = Terminal(braid, "top", "-n", "1", "0.3", columns=60, NO_COLOR="1")
    assert terminal.wait() == 0
    assert b"\x1b" not in terminal.text and b"running  150.0" in terminal.text
    for words in (["top", "0.3"], ["stats", "--watch", "0.3"]):
        terminal = Terminal(braid, *words, TERM="dumb")
        terminal.expect(b"150.0")
        terminal.type(b"\x03")
        assert terminal.wait() == -signal.SIGINT
        assert b"\x1b" not in terminal.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_top_gives_the_terminal_back(braid, number):
    braid.up()
    terminal = Terminal(braid, "top", "0.3")
    terminal.expect(b"150.0")
    assert terminal.is_raw()
    name = os.readlink(f"/proc/{terminal.pid}/fd/1")
    kept = os.open(name, os.O_RDWR | os.O_NOCTTY)  # else it would go with its program
    if number == signal.SIGINT:
        terminal.type(b"\x03")
    else:
        os.kill(terminal.pid, number)
    terminal.expect(LEAVE)
    assert os.waitstatus_to_exitcode(os.waitpid(terminal.pid, 0)[1]) == -number
    assert not terminal.is_raw()
    os.close(kept)


def test_top_ends_with_its_system(braid):
    braid.up()
    terminal = Terminal(braid, "top", "0.3")
    terminal.expect(b"150.0")
    braid("down")
    assert terminal.wait() == 3
    assert b"sys does not run" in terminal.text.split(LEAVE)[1]


def test_top_goes_on_when_the_board_does(braid):
    braid.up(uptime=8000)
    terminal = Terminal(braid, "top", "0.3")
    terminal.expect(b"150.0")
    braid.boards[0].send_signal(signal.SIGUSR1)
    terminal.expect(b"board ", 40)
    terminal.text = b""
    wait_for_session(braid)
    terminal.expect(b"150.0", 20)
    terminal.type(b"q")
    assert terminal.wait() == 0


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


def test_a_system_without_counters(braid):
    braid.up(counters="old")
    for words in (["stats"], ["stats", "--json"], ["top"], ["top", "-n", "1"]):
        assert b"sys: this system was built without counters" in braid(*words, status=1).stderr


def test_nothing_is_counted(braid):
    braid.up(counters="none")
    assert braid("stats").stdout == braid("stats", "--json").stdout == b""
    assert braid("stats", "--openmetrics").stdout == b"# EOF\n"
    assert braid("top", "-n", "1", "0.2").stdout.count(b" -") == 4 * 9


def test_a_newer_board(braid):
    """It has a kind of sets and words that are not known here."""
    braid.up(counters="newer")
    text = braid("stats").stdout.decode()
    assert text == VM0 + VM0_PORT + VM0_DISK + "deaf: running\n" + DEAF_DISK + SWITCH


@pytest.mark.parametrize("counters", ["silent", "wordless"])
def test_a_board_that_does_not_answer(braid, counters):
    braid.up(counters=counters)
    for _ in range(2):
        assert b"sys: the board has not answered within 10 seconds" in braid("stats", status=1).stderr
    braid("pause", "vm0")  # all else is answered


@pytest.mark.parametrize("counters", ["gap", "again", "twice", "cut", "nobody", "endless", "overlong",
                                      "overflow", "unending", "many", "refusing", "timeless", "empty"])
def test_a_board_that_makes_no_sense(braid, counters):
    braid.up(counters=counters)
    for _ in range(20):  # more often than requests could be left behind
        assert b"sys: what the board says of its counters makes no sense" in braid("stats", status=1).stderr
    assert braid.states()["vm0"] == "running"
    braid("pause", "vm0")


def test_several_ask_at_once(braid):
    braid.up(counters="slow")
    processes = [braid.popen("stats", "vm0", stdout=subprocess.PIPE, text=True) for _ in range(5)]
    assert [process.communicate(timeout=20)[0] for process in processes] == [VM0 + VM0_PORT + VM0_DISK] * 5
    gone = braid.popen("stats", stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    gone.kill()
    gone.wait()
    assert "vm0" in braid("stats").stdout.decode()
    braid("down")
    assert braid.told().count("poll") == 2


def test_who_asks_when_the_session_is_lost(braid):
    braid.up(counters="silent")
    process = braid.popen("stats", stderr=subprocess.PIPE)
    time.sleep(0.5)
    braid.boards[0].send_signal(signal.SIGUSR1)
    assert b"has not answered" in process.communicate(timeout=30)[1]
    assert process.returncode == 1
