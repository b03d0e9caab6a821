"""The sandbox: what hostile code tries, on every rung that this machine has.

Whatever is refused on a higher rung is shown to work, where it can be without harm, on one that lacks the part that
refuses it: what fails for another reason would prove nothing.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_support import (
    HERE,
    LINUX,
    MACHINES,
    answer_of,
    error_of,
    job,
    parts_here,
    parts_without,
    processes_with,
    results,
)

from archcheck.errors import ArchcheckError
from archcheck.frontends.trace import isolation, sandbox
from archcheck.frontends.trace.child.channel import LANDLOCK, NAMESPACES, SECCOMP
from archcheck.frontends.trace.sandbox import PRIVILEGED, TraceError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are confined on POSIX systems alone")


@pytest.fixture(params=MACHINES)
def without(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """What is left out; a machine that lacks more is another of those machines."""
    left_out = MACHINES[request.param]
    lacking = {SECCOMP, LANDLOCK, NAMESPACES} - parts_here() - set(left_out)
    if lacking and left_out:
        pytest.skip(f"this machine has no {' and no '.join(sorted(lacking))}")
    return left_out


@pytest.fixture
def victim() -> Iterator[int]:
    """A process of the same user that has done nothing."""
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(300)"])
    yield process.pid
    ended = process.poll()
    process.kill()
    process.wait()
    assert ended is None, "the victim was harmed"


# What the code finds


def test_each_rung_says_what_it_is_made_of(without: tuple[str, ...]) -> None:
    answer = answer_of(["where"], without=without)
    parts = answer.isolation.split("+")
    assert parts[0] == "process"
    assert set(parts) == {"process", *parts_without(without)}
    assert answer.rung == (3 if NAMESPACES in parts else 2 if LANDLOCK in parts else 1)


def test_nothing_of_the_host_is_in_the_environment(without: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "very-secret")
    monkeypatch.setenv("PYTHONPATH", "/very-secret")
    monkeypatch.setenv("LD_PRELOAD", "")
    (found,) = results(["where"], without=without)
    assert "secret" not in json.dumps(found)
    assert found["environ"]["HOME"] == found["environ"]["TMPDIR"] == found["cwd"]
    assert found["files"] == []
    assert found["stdin"] == ""
    assert not Path(found["cwd"]).exists()
    allowed = set(isolation.environment(""))
    assert set(found["environ"]) <= allowed | {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"}


def test_names_are_hashed_alike_in_every_run() -> None:
    first, second = (results(["where"])[0]["hash"] for _ in range(2))
    assert first == second


def test_modules_are_found_in_the_environment_of_the_model_and_not_beside_archcheck() -> None:
    (found,) = results(["where"])
    assert found["prefix"] == sys.prefix
    assert found["path"][-1] == str(HERE)
    assert "" not in found["path"]
    assert found["cwd"] not in found["path"]


def test_limits_cannot_be_raised(without: tuple[str, ...]) -> None:
    where, raised = results(["where"], ["unlimited"], without=without, cpu=50, file_size=1 << 20, open_files=300)
    for name, expected in {"RLIMIT_CPU": 50, "RLIMIT_FSIZE": 1 << 20, "RLIMIT_NOFILE": 300, "RLIMIT_CORE": 0}.items():
        assert where["limits"][name] == [expected, expected]
    if LINUX:
        assert raised in ("ValueError", "PermissionError")


@pytest.mark.skipif(not LINUX, reason="capabilities are of Linux")
def test_root_has_no_privileges(without: tuple[str, ...]) -> None:
    (status,) = results(["status"], without=without)
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == ("2" if SECCOMP in parts_without(without) else "0")


# Files


def test_files_outside_are_neither_read_nor_written(without: tuple[str, ...], tmp_path: Path) -> None:
    secret, audited = tmp_path / "secret", tmp_path / "audited"
    audited.mkdir()
    (audited / "model.py").write_text("class Model: ...")
    (audited / "link").symlink_to(secret)
    secret.write_text("very secret")
    reads = [["read", str(secret)], ["read", str(audited / "link")], ["through_a_link", str(secret)]]
    writes = [["write", str(place)] for place in (tmp_path / "new", secret, audited / "model.py", audited / "new.py")]
    harmful = [["write", f"{sys.prefix}/new"], ["write", str(HERE / "new.py")], ["listing", str(Path.home().parent)]]
    kept = bool(parts_without(without) & {LANDLOCK, NAMESPACES})
    model, own, *found = results(
        ["read", str(audited / "model.py")],
        ["write", "mine"],
        *reads,
        *writes,
        *(harmful if kept else ()),
        without=without,
        readable=(audited,),
    )
    assert (model, own) == ("class Model: ...", "written")
    if kept:
        *found, above = found
        assert set(found) <= {"PermissionError", "FileNotFoundError", "OSError"}
        assert isinstance(above, str) or not set(above) & set(os.listdir(Path.home()))
        assert secret.read_text() == "very secret"
        assert not any(place.exists() for place in (tmp_path / "new", Path(sys.prefix) / "new", HERE / "new.py"))
    else:
        assert found == ["very secret"] * 3 + ["written"] * 4


def test_files_outside_are_not_changed_without_being_opened(without: tuple[str, ...], tmp_path: Path) -> None:
    parts = parts_without(without)
    file, device = tmp_path / "file", Path("/dev/null")
    file.write_text("model")
    file.chmod(0o640)
    before, outside = file.stat(), device.stat()
    acts = [["write", str(device)], ["truncate", str(file)], ["chmod", str(file)], ["touch", str(file)]]
    acts += [["chmod", str(device)]] if parts & {SECCOMP, NAMESPACES} else []
    assert results(*acts, without=without, readable=(tmp_path,))[0] == "written"
    after = file.stat()
    if parts & {SECCOMP, NAMESPACES}:
        assert (after.st_mode, after.st_mtime, after.st_size) == (before.st_mode, before.st_mtime, before.st_size)
        assert device.stat().st_mode == outside.st_mode
    else:  # landlock does not ask about modes and times
        assert (after.st_mode & 0o777, after.st_mtime) == (0o777, 0)


@pytest.mark.skipif(not LINUX, reason="/proc is of Linux")
def test_settings_of_the_machine_are_not_changed(without: tuple[str, ...]) -> None:
    """Not by root either, who owns them."""
    if not parts_without(without) & {LANDLOCK, NAMESPACES}:
        pytest.skip("a process alone is not kept from its user's files")
    (found,) = results(["open_to_write", "/proc/sys/kernel/core_pattern"], without=without)
    assert found in ("PermissionError", "OSError")


def test_the_home_folder_is_not_read(without: tuple[str, ...], tmp_path: Path) -> None:
    """Of a home folder, what is the interpreter's is all that can be seen."""
    if not parts_without(without) & {LANDLOCK, NAMESPACES}:
        pytest.skip("a process alone is not kept from its user's files")
    acts = [["listing", str(Path.home())], ["listing", "/"], ["read", str(Path.home() / ".bashrc")]]
    home, root, file = results(*acts, ["read", "/etc/passwd"], without=without)[:3]
    if LANDLOCK in parts_without(without):
        assert home in ("PermissionError", "FileNotFoundError")  # where none of it is shown, it is not there
        assert root == "PermissionError"
    else:
        needed = [path.parts for path in map(Path, (sys.prefix, sys.base_prefix, HERE, isolation.__file__))]
        depth = len(Path.home().parts)
        assert home == "FileNotFoundError" or set(home) <= {parts[depth] for parts in needed if len(parts) > depth}
        assert not {"boot", "home", "mnt", "root", "srv", "var"} & set(root) - {parts[1] for parts in needed}
    assert file in ("PermissionError", "FileNotFoundError")


@pytest.mark.skipif(not LINUX, reason="/proc is of Linux")
def test_the_host_is_not_seen_by_way_of_proc(without: tuple[str, ...], victim: int) -> None:
    acts = [["environ_of_parent"], ["environ_of", os.getpid()], ["memory_of", os.getpid()], ["memory_of", victim]]
    if not parts_without(without) & {LANDLOCK, NAMESPACES}:
        pytest.skip("a process alone is kept from what its user must not read, and from nothing else")
    found = results(*acts, ["environ_of", victim], ["read", "/proc/self/environ"], without=without)
    assert set(found[:5]) <= {"PermissionError", "FileNotFoundError", "ProcessLookupError"}
    assert "HF_HUB_OFFLINE=1" in found[5]


def test_files_are_limited_in_size(without: tuple[str, ...]) -> None:
    small, large, *more = results(
        ["fill", "small", 1 << 20],
        ["fill", "large", 3 << 20],
        *(["fill", f"part{number}", 1 << 20] for number in range(4)),
        without=without,
        file_size=2 << 20,
    )
    assert (small, large) == ("filled", "OSError")
    if NAMESPACES in parts_without(without):
        assert set(more) == {"OSError"}  # of all files together


def test_the_folder_is_removed_whatever_is_in_it() -> None:
    (folder,) = results(["nest", 1010], without=MACHINES["process alone"])
    assert not Path(folder).parent.exists()


# Network


@pytest.mark.parametrize("family", ["tcp", "path", "abstract"])
def test_nobody_is_connected_to(without: tuple[str, ...], family: str, tmp_path: Path) -> None:
    if family == "abstract" and not LINUX:
        pytest.skip("abstract sockets are of Linux")
    name = f"{tmp_path}/s" if family == "path" else f"@archcheck-{os.getpid()}-{random.random()}"
    with socket.create_server(("127.0.0.1", 0)) if family == "tcp" else socket.socket(socket.AF_UNIX) as server:
        if family != "tcp":
            server.bind(name.replace("@", "\0"))
            server.listen()
        act = ["tcp", server.getsockname()[1]] if family == "tcp" else ["unix", name]
        (found,) = results(act, without=without, readable=(tmp_path,) if family == "abstract" else ())
    parts = parts_without(without)
    if not parts:
        assert found == "connected"
    elif parts & {SECCOMP, NAMESPACES} or family != "path":  # landlock does not ask about sockets that have a path
        assert found != "connected"


@pytest.mark.skipif(not LINUX, reason="only Linux has more than limits")
def test_nothing_is_sent(without: tuple[str, ...]) -> None:
    parts = parts_without(without)
    (found,) = results(["udp"], without=without)
    if parts & {SECCOMP, NAMESPACES}:
        assert found in ("PermissionError", "OSError")
    else:
        assert found == len("secret")


# Other processes


@pytest.mark.skipif(not LINUX, reason="only Linux has more than limits")
def test_other_processes_are_not_touched(without: tuple[str, ...], victim: int) -> None:
    parts = parts_without(without)
    if not parts:
        pytest.skip("a process alone is not kept from processes of its user; the next test shows it")
    acts = [["kill", victim, int(signal.SIGKILL)], ["kill", victim, 0], ["trace", victim]]
    if parts & {SECCOMP, NAMESPACES}:  # landlock does not ask about limits
        acts.append(["limit_of", victim])
    if SECCOMP in parts:
        acts += [["kill_parent"], ["kill_group"], ["kill", -1, int(signal.SIGKILL)]]
        acts += [] if NAMESPACES in parts else [["kill", 1, 0]]  # in a namespace, that is the code itself
    assert set(results(*acts, without=without)) <= {"PermissionError", "ProcessLookupError"}


@pytest.mark.skipif(not LINUX, reason="only Linux has more than limits")
def test_a_signal_reaches_a_process_where_nothing_keeps_it() -> None:
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(300)"])
    try:
        without = MACHINES["process alone"]
        assert results(["kill", process.pid, int(signal.SIGKILL)], without=without) == ["signalled"]
        assert process.wait(30) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()


def test_no_process_is_started_and_threads_are() -> None:
    if LINUX and SECCOMP not in parts_here():
        pytest.skip("this machine has no seccomp")
    bomb, program, replaced, threads = results(["bomb", 2000], ["program"], ["replace"], ["threads", 8])
    assert bomb == 2000
    assert program in ("PermissionError", "BlockingIOError")
    assert replaced == "PermissionError" or not LINUX
    assert threads == list(range(8))


def test_programs_are_not_run_where_landlock_decides() -> None:
    if LANDLOCK not in parts_here():
        pytest.skip("this machine has no landlock")
    assert results(["program"], without=MACHINES["landlock alone"]) == ["PermissionError"]
    assert results(["program"], without=MACHINES["process alone"]) == ["1\n"]


@pytest.mark.skipif(not LINUX, reason="elsewhere no process can be started at all")
@pytest.mark.parametrize("lacking", ["no seccomp", "landlock alone", "process alone"])
def test_nothing_is_left_behind(lacking: str) -> None:
    """Not even what has left its session and ignores signals, which a machine without seccomp cannot keep from it."""
    (folder,) = results(["daemon"], without=MACHINES[lacking])
    assert processes_with(folder) == []
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE, env={"X": folder}):
        assert len(processes_with(folder)) == 1


@pytest.mark.skipif(not LINUX, reason="the host is watched on Linux alone")
def test_nothing_is_left_when_the_host_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from archcheck.frontends.trace.sandbox import Job, run\n"
        f"job = Job(Path(sys.executable), 'sandbox_hostile', b'[[\"sleep\"]]', (), paths=(Path({str(HERE)!r}),))\n"
        "run(job, lambda message: print(message, flush=True))\n"
    )
    environ = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(HERE.parents[2])}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environ) as host:
        assert host.stdout is not None
        assert any(line.startswith("running") for line in host.stdout)
        marker = str(tmp_path / "archcheck-trace-")
        assert processes_with(marker)
        host.kill()
        host.wait()
        deadline = time.monotonic() + 30
        while processes_with(marker) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert processes_with(marker) == []


# Time and memory


@pytest.mark.parametrize("lacking", ["all of it", "no namespaces", "process alone"])
def test_who_sleeps_is_woken(lacking: str) -> None:
    said: list[str] = []
    with pytest.raises(TraceError, match=r"did not end within 0\.8 seconds"):
        sandbox.run(job(["sleep"], without=MACHINES[lacking], wall=0.8), said.append)
    assert said[0] == "starting the sandbox"


def test_who_computes_for_ever_is_stopped() -> None:
    assert "computed for more than 1 seconds" in error_of(["spin"], cpu=1).problem


@pytest.mark.parametrize("act", ["allocate", "map_memory"])
def test_memory_is_limited(act: str) -> None:
    assert results([act, 1 << 28]) == [1 << 28]
    for size in (3 << 30, 64 << 30):
        if act == "allocate":
            assert error_of([act, size]).problem == "the model's code wanted more than 2 GiB of memory"
        else:
            assert results([act, size]) == ["OSError"]


def test_memory_that_no_limit_counts_is_not_given() -> None:
    if SECCOMP not in parts_here():
        pytest.skip("this machine has no seccomp")
    assert results(["hidden_memory"]) == ["PermissionError"]


# What it says


def test_a_gigabyte_of_messages_is_read_and_forgotten() -> None:
    answer = answer_of(["shout", 1 << 30])
    assert json.loads(answer.data) == ["shouted"]
    assert answer.messages.endswith("\nthe end")
    assert len(answer.messages) < 10_000


def test_messages_cannot_steer_a_terminal() -> None:
    assert answer_of(["say", "red \x1b[31m\r\nand\u202egreen"]).messages == "red \\u001b[31m\nand\\u202egreen"


def test_an_answer_that_is_too_large_is_not_taken() -> None:
    for acts in (["answer", "x" * 3_000_000], ["zeros", 1 << 30], ["flood", 1 << 30]):
        problem = error_of(acts, output=2 << 20).problem
        assert problem == "the model's code gave more than the 2 MiB that an answer may have"


def test_an_answer_is_any_bytes() -> None:
    assert len(answer_of(["noise", 3_000_000]).data) == 3_000_000
    assert answer_of(["answer", ""]).data == b""


@pytest.mark.parametrize("event", sorted(PRIVILEGED))
def test_nothing_is_run_where_a_workflow_holds_secrets(event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_EVENT_NAME", event)
    assert f"a workflow on {event} holds secrets" in error_of(["answer", ""]).problem
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request")
    assert answer_of(["answer", ""]).data == b""


def test_a_large_request_arrives() -> None:
    assert results(["threads", 0], *[["environment_variable", "x" * 1000]] * 5000)[1:] == [None] * 5000


@pytest.mark.parametrize("lacking", ["all of it", "process alone"])
@pytest.mark.parametrize(
    ("act", "problem"),
    [
        (["leave", 3], "the model's code ended with exit code 3 and gave no answer: nothing to say"),
        (["leave", 0], "the model's code ended with exit code 0 and gave no answer: nothing to say"),
        (["fail"], "the model's code ended with exit code 1 and gave no answer: RuntimeError: this model \\u001b[31mf"),
        (["crash"], "the model's code was ended by SIGSEGV and gave no answer"),
    ],
)
def test_no_answer_says_how_it_ended(act: list[Any], problem: str, lacking: str) -> None:
    error = error_of(act, without=MACHINES[lacking])
    assert isinstance(error, ArchcheckError)
    assert error.problem.startswith(problem)
