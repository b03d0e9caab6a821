"""What hostile model code does, to be run in the sandbox: each act says what it got, or which error kept it from it.

The request is a list of acts, each a list of its name and its arguments; the answer is a list of what they got.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

Give = Callable[[bytes], None]

ACTS: dict[str, Callable[..., object]] = {}


def act(function: Callable[..., object]) -> Callable[..., object]:
    ACTS[function.__name__] = function
    return function


def main(request: bytes, answer: Give) -> None:
    ACTS["answer"] = lambda text: answer(text.encode()) or os._exit(0)
    ACTS["noise"] = lambda count: answer(os.urandom(count)) or os._exit(0)
    ACTS["zeros"] = lambda count: answer(bytes(count)) or os._exit(0)
    answer(json.dumps([_do(*one) for one in json.loads(request)]).encode())


def _do(name: str, *arguments: object) -> object:
    try:
        return ACTS[name](*arguments)
    except OSError as error:
        return f"{type(error).__name__}"


@act
def where() -> object:
    resources = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if "RLIMIT" in name}
    return {
        "environ": dict(os.environ),
        "cwd": os.getcwd(),
        "files": os.listdir(),
        "hash": hash("archcheck"),
        "path": sys.path,
        "stdin": sys.stdin.read(),
        "prefix": sys.prefix,
        "limits": resources,
    }


@act
def status() -> object:
    lines = Path("/proc/self/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@act
def read(path: str) -> object:
    return Path(path).read_bytes().decode("utf-8", "replace")


@act
def listing(path: str) -> object:
    return sorted(os.listdir(path))


@act
def write(path: str) -> object:
    Path(path).write_text("hostile")
    return "written"


@act
def open_to_write(path: str) -> object:
    os.close(os.open(path, os.O_WRONLY))
    return "opened"


@act
def chmod(path: str) -> object:
    os.chmod(path, 0o777)
    return "done"


@act
def touch(path: str) -> object:
    os.utime(path, (0, 0))
    return "done"


@act
def truncate(path: str) -> object:
    os.truncate(path, 0)
    return "done"


@act
def through_a_link(path: str) -> object:
    os.symlink(path, "link")
    return Path("link").read_text()


@act
def environ_of_parent() -> object:
    return Path(f"/proc/{os.getppid()}/environ").read_bytes().decode("utf-8", "replace")


@act
def memory_of(process: int) -> object:
    with open(f"/proc/{process}/mem", "rb+", buffering=0) as file:
        return file.fileno()


@act
def environ_of(process: int) -> object:
    return Path(f"/proc/{process}/environ").read_bytes().decode("utf-8", "replace")


@act
def trace(process: int) -> object:
    library = ctypes.CDLL(None, use_errno=True)
    if library.ptrace(16, process, None, None) == -1:  # PTRACE_ATTACH
        raise OSError(ctypes.get_errno(), "ptrace")
    return "attached"


@act
def tcp(port: int) -> object:
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return "connected"


@act
def unix(path: str) -> object:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(5)
        one.connect(path.replace("@", "\0"))
        return "connected"


@act
def udp() -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        return one.sendto(b"secret", ("127.0.0.1", 9))


@act
def kill(process: int, number: int) -> object:
    os.kill(process, number)
    return "signalled"


@act
def kill_parent() -> object:
    os.kill(os.getppid() or -1, signal.SIGKILL)
    return "signalled"


@act
def kill_group() -> object:
    os.kill(0, signal.SIGTERM)
    return "signalled"


@act
def limit_of(process: int) -> object:
    resource.prlimit(process, resource.RLIMIT_NOFILE, (8, 8))
    return "limited"


@act
def unlimited() -> object:
    try:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except ValueError:
        return "ValueError"
    return "raised"


@act
def bomb(tries: int) -> object:
    refused = 0
    for _ in range(tries):
        try:
            if os.fork() == 0:
                time.sleep(60)
        except OSError:
            refused += 1
    return refused


@act
def program() -> object:
    return subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, text=True, check=False).stdout


@act
def replace() -> object:
    os.execv(sys.executable, [sys.executable, "-c", "print(1)"])


@act
def threads(count: int) -> object:
    found: list[int] = []
    running = [threading.Thread(target=found.append, args=(number,)) for number in range(count)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    return sorted(found)


@act
def daemon() -> object:
    """Leave a process behind that is in a session of its own, and say what it is called by."""
    ready, told = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(told, b"!")
            for number in range(1, signal.NSIG):
                if number not in (signal.SIGKILL, signal.SIGSTOP):
                    try:
                        signal.signal(number, signal.SIG_IGN)
                    except (OSError, ValueError):
                        continue
            time.sleep(600)
        os._exit(0)
    os.read(ready, 1)
    return os.environ["TMPDIR"]


@act
def sleep() -> object:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(600)
    return "slept"


@act
def spin() -> object:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while True:
        pass


@act
def allocate(size: int) -> object:
    return len(bytearray(size))


@act
def map_memory(size: int) -> object:
    return len(mmap.mmap(-1, size))


@act
def hidden_memory() -> object:
    return os.memfd_create("hostile")


@act
def fill(path: str, size: int) -> object:
    with open(path, "wb", buffering=0) as file:
        for _ in range(size >> 20):
            if file.write(bytes(1 << 20)) < 1 << 20:
                raise OSError("full")
    return "filled"


@act
def nest(depth: int) -> object:
    os.mkdir("locked")
    Path("locked/file").touch()
    os.chmod("locked", 0)
    os.symlink("/", "root")
    before = os.getcwd()
    for _ in range(depth):
        os.mkdir("folder")
        os.chdir("folder")
    os.chdir(before)
    return before


@act
def say(text: str) -> object:
    print(text)
    return "said"


@act
def shout(size: int) -> object:
    line = b"x" * 1023 + b"\n"
    block = line * 1024
    for _ in range(size >> 20):
        os.write(1, block)
    os.write(2, b"the end\n")
    return "shouted"


@act
def flood(size: int) -> object:
    """Answer without end, by way of whichever descriptor is the one."""
    for number in range(3, 100):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                for _ in range(size >> 10):
                    os.write(number, bytes(5) + b"\xff" * 1019)  # in its first eight bytes, a length of 16 MiB
        except OSError:
            continue
    return "flooded"


@act
def leave(code: int) -> object:
    print("nothing to say", file=sys.stderr, flush=True)
    os._exit(code)


@act
def fail() -> object:
    raise RuntimeError("this model \x1b[31mfails")


@act
def crash() -> object:
    return ctypes.string_at(0)


@act
def environment_variable(name: str) -> object:
    return os.environ.get(name)
