"""The ladder: which rungs there are, how the host goes down one, and the parts that a child is confined by."""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_support import HERE, LINUX, MACHINES, PYTHON, parts_here

from archcheck.frontends.trace import isolation, sandbox
from archcheck.frontends.trace.child import seccomp
from archcheck.frontends.trace.child.channel import LANDLOCK, NAMESPACES, Plan
from archcheck.frontends.trace.sandbox import Job, TraceError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are confined on POSIX systems alone")

# What the machine has


def test_a_rung_that_is_required_is_not_done_without() -> None:
    def required(number: int, without: tuple[str, ...]) -> Job:
        return Job(PYTHON, "sandbox_hostile", b'[["where"]]', (), paths=(HERE,), require=number, without=without)

    for number, lacking in ((3, "no namespaces"), (2, "seccomp alone")):
        with pytest.raises(TraceError, match=f"rung {number}, is required and not to be had here"):
            sandbox.run(required(number, MACHINES[lacking]))
    with pytest.raises(TraceError, match="no rung 9"):
        sandbox.run(required(9, ()))
    assert sandbox.run(required(1, MACHINES["process alone"])).rung == 1
    highest = max(rung.number for rung in isolation.available(PYTHON) if rung.works)
    assert sandbox.run(required(highest, ())).rung == highest


def test_what_a_kernel_refuses_is_done_without() -> None:
    """A part that cannot be had is named by the child, and the host goes down one rung."""
    if not {NAMESPACES, LANDLOCK} <= parts_here():
        pytest.skip("this machine lacks rungs already")
    if shutil.which("unshare") is None:
        pytest.skip("no program makes a user namespace here")
    limit = Path("/proc/sys/user/max_net_namespaces")
    program = (
        "import sys; from pathlib import Path; from archcheck.frontends.trace import isolation\n"
        "from archcheck.frontends.trace.sandbox import Job, run\n"
        f"paths = (Path({str(HERE)!r}),)\n"
        "answer = run(Job(Path(sys.executable), 'sandbox_hostile', b'[[\"where\"]]', (), paths=paths))\n"
        "print(answer.rung, answer.isolation, *(rung.works for rung in isolation.available()))\n"
        "print(isolation.available()[2].why)\n"
    )
    # In a user namespace of its own, the machine's limits can be set without touching the machine's.
    script = f'echo 0 > {limit} && exec "$0" -c "$1"'
    environ = {**os.environ, "PYTHONPATH": str(HERE.parents[2])}
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", script, sys.executable, program]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    if "unshare" in done.stderr or "sh:" in done.stderr:
        pytest.skip(f"no user namespace with limits of its own: {done.stderr}")
    assert done.stdout.splitlines()[0].startswith("2 process+landlock"), done.stderr
    assert done.stdout.splitlines()[0].endswith("True True False")
    assert done.stdout.splitlines()[1] == "unshare: No space left on device"


def test_the_ladder_is_told() -> None:
    rungs = isolation.available(PYTHON)
    assert [rung.number for rung in rungs] == [1, 2, 3]
    assert rungs[0].works
    assert all(bool(rung.why) is not rung.works for rung in rungs)
    assert isolation.available(PYTHON) is rungs


def test_an_interpreter_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cannot be started: No such file or directory"):
        sandbox.run(Job(tmp_path / "python", "sandbox_hostile", b"", ()))
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'no python here' >&2; exit 4\n")
    broken.chmod(0o700)
    with pytest.raises(TraceError, match="cannot run the sandbox: no python here"):
        sandbox.run(Job(broken, "sandbox_hostile", b"", ()))


@pytest.mark.skipif(not LINUX, reason="only Linux has more than limits")
def test_start_up_files_of_the_environment_run_in_the_sandbox(tmp_path: Path) -> None:
    """They are code too, and an environment may have been made by the repository that is audited."""
    if not parts_here() & {LANDLOCK, NAMESPACES}:
        pytest.skip("this machine has no rung that decides on files")
    packages = tmp_path / "env" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / "secret").write_text("very secret")
    (tmp_path / "env" / "bin").mkdir()
    (tmp_path / "env" / "bin" / "python").symlink_to(sys._base_executable)
    (tmp_path / "env" / "pyvenv.cfg").write_text(f"home = {os.path.dirname(sys._base_executable)}\n")
    lines = ["import os", f"try: os.environ['FOUND'] = open({str(tmp_path / 'secret')!r}).read()"]
    lines.append("except OSError as error: os.environ['FOUND'] = type(error).__name__")
    (packages / "sitecustomize.py").write_text("\n".join(lines))
    request = b'[["environment_variable", "FOUND"]]'
    there = Job(tmp_path / "env" / "bin" / "python", "sandbox_hostile", request, (), paths=(HERE,))
    assert json.loads(sandbox.run(there).data)[0] in ("PermissionError", "FileNotFoundError")


# Its parts


def test_a_plan_arrives_as_it_was_sent() -> None:
    plan = Plan(
        parts=("a", "b"), entry="e.f", folder="/x y", readable=("/new\nline", "/\udcff"), paths=(), parent=7, answer=8,
        control=9, numbers={"wall": 1, "cpu": 2},
    )  # fmt: skip
    source, sink = os.pipe()
    os.write(sink, plan.encode() + b"request")
    assert vars(Plan.read(source)) == vars(plan)
    assert os.read(source, 100) == b"request"
    os.close(source)
    os.close(sink)


@pytest.mark.parametrize(("machine", "name"), [("x86_64", 0xC000003E), ("aarch64", 0xC00000B7)])
def test_the_filter_decides_by_hand_as_it_says(machine: str, name: int) -> None:
    """Run by hand for both machines, of which a test can only be on one."""
    column = ["x86_64", "aarch64"].index(machine)
    program = list(struct.iter_unpack("=HBBI", seccomp._program(machine, 77)))

    def decide(number: int, *arguments: int, arch: int = name) -> int:
        seen = struct.pack("=IIQ6Q", number, arch, 0, *arguments, *(0,) * (6 - len(arguments)))
        at = value = 0
        while True:
            code, then, otherwise, constant = program[at]
            at += 1
            if code == 0x06:
                return constant
            if code == 0x20:
                (value,) = struct.unpack_from("=I", seen, constant)
            else:
                holds = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[code]
                at += then if holds else otherwise

    allow, refuse, absent, kill = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x80000000
    clone, write, signal_ = ((56, 220), (1, 64), (62, 129))
    assert decide(write[column], 1) == allow
    assert decide(write[column], 1, arch=0x40000003) == kill
    assert decide(clone[column], 0x3D0F00) == allow  # what pthread_create asks for
    assert decide(clone[column], 0x1200011) == refuse  # what fork asks for
    assert decide(435) == absent
    assert decide(signal_[column], 77, 9) == allow
    assert {decide(signal_[column], other, 9) for other in (0, 1, 78, 2**64 - 1)} == {refuse}
    assert {decide(numbers[column]) for numbers in seccomp._PRETENDED.values() if numbers[column] >= 0} == {0x50000}
    for numbers in seccomp._REFUSED.values():
        assert numbers[column] < 0 or decide(numbers[column]) == refuse
    for *both, place, values in seccomp._NOT_WITH.values():
        assert {decide(both[column], *(0,) * place, value) for value in values} == {refuse}
        assert decide(both[column], *(0,) * place, 3) == allow
    if machine == "x86_64":
        assert decide(0x40000000 | 57) == absent
