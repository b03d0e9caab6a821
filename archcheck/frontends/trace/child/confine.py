"""What the child does to itself before any foreign code is imported, and what watches over it.

The child is two processes. The one that the host started prepares, forks, and then does nothing but watch: it ends
what is left when the second one ends, when the host asks for it or is gone, and when the time is up. The second one
gives up, in this order, other processes and files (namespaces), resources (limits), root's privileges, files again
(landlock) and system calls (seccomp); then it runs the environment's own start-up files, which are foreign code too,
and then the entry.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import suppress
from typing import NoReturn

from archcheck.frontends.trace.child.channel import (
    CONFINED,
    ENDED,
    LANDLOCK,
    NAMESPACES,
    OUT_OF_MEMORY,
    REFUSED,
    SECCOMP,
    Plan,
    Refused,
    answering,
    read_all,
    tell,
)

_LINUX = sys.platform == "linux"

# What an interpreter and its libraries read of a system; nothing in it is anybody's secret.
_SYSTEM = (
    "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/share", "/usr/include",
    "/usr/local/lib", "/usr/local/lib64", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store",
    "/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types", "/etc/os-release",
    "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf", "/etc/crypto-policies",
    "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/kernel/mm/transparent_hugepage",
)  # fmt: skip
_PROC = (
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/version",
    "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/osrelease", "/proc/sys/kernel/ostype",
)  # fmt: skip
_SOURCES = ("/dev/zero", "/dev/random", "/dev/urandom")
_SINKS = ("/dev/null", "/dev/full")
_OF_A_PREFIX = ("bin", "lib", "lib32", "lib64", "include", "share", "pyvenv.cfg")

_WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGALRM, signal.SIGINT, signal.SIGHUP)
_GRACE = 10  # seconds after which the time is up even if the host, which measures it, does not say so


def start() -> NoReturn:
    """Read the plan, confine a new process, run the plan's entry in it, and watch it until it has ended."""
    plan = Plan.read(0)
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        if _LINUX:
            _prepare(plan)
        child = os.fork()
    except Refused as refused:
        tell(plan.control, REFUSED, refused.part, refused.why)
        os._exit(1)
    if child == 0:
        _become(plan)
    _watch(child, plan)


def _prepare(plan: Plan) -> None:
    from archcheck.frontends.trace.child import kernel, namespaces

    kernel.control(kernel.PR_SET_CHILD_SUBREAPER, 1)  # a process whose parent has gone becomes a child of this one
    if NAMESPACES in plan.parts:
        namespaces.leave()
    kernel.control(kernel.PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != plan.parent:
        os._exit(1)  # the host was gone before it could be watched


def _watch(child: int, plan: Plan) -> NoReturn:
    """Wait until the child has ended, or end it; then end what it left behind, and tell how it went."""
    if _LINUX:
        from archcheck.frontends.trace.child import kernel

        kernel.drop_capabilities()
    signal.setitimer(signal.ITIMER_REAL, plan.numbers["wall"] + _GRACE)
    ended, status, seconds = False, 0, 0.0
    while not ended:
        if signal.sigwait(_WATCHED) != signal.SIGCHLD:
            _kill(child)
        while True:  # one signal may stand for several processes
            try:
                process, code, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if process == 0:
                break
            if process == child:
                ended, status, seconds = True, code, usage.ru_utime + usage.ru_stime
    _sweep(child)
    tell(plan.control, ENDED, str(status), f"{seconds:.2f}")
    os._exit(0)


def _kill(process: int) -> None:
    with suppress(OSError):
        os.kill(process, signal.SIGKILL)


def _sweep(child: int) -> None:
    """End every process that the child left behind: with those of its group, all that have become ours since."""
    with suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    while _LINUX:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                for process in _children():
                    _kill(process)
                os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid():
                found.append(int(name))
    return found


def _become(plan: Plan) -> NoReturn:
    """Confine this process, and run the plan's entry in it."""
    try:
        confine(plan)
    except Refused as refused:
        tell(plan.control, REFUSED, refused.part, refused.why)
        os._exit(1)
    except BaseException as error:
        tell(plan.control, REFUSED, "process", f"{type(error).__name__}: {error}")
        os._exit(1)
    tell(plan.control, CONFINED)
    os.close(plan.control)
    code = 0
    try:
        if plan.entry:
            _run(plan)
    except MemoryError:
        code = OUT_OF_MEMORY
        os.write(2, b"MemoryError\n")
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1 if leaving.code else 0
    except BaseException:
        import traceback

        code = 1
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(code & 0xFF)


def _run(plan: Plan) -> None:
    request = read_all(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    import importlib
    import site

    site.main()  # the environment's packages, its `.pth` files and `sitecustomize`; the interpreter was told to wait
    sys.path += plan.paths
    importlib.import_module(plan.entry).main(request, answering(plan.answer))


def confine(plan: Plan) -> None:
    """Give up all that the plan says, for good.

    Raises:
        Refused: a part of it is not to be had here.
    """
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
    if _LINUX:
        _write("/proc/self/oom_score_adj", "1000")  # where memory runs out, this process goes first
        readable = [*_SYSTEM, *_interpreter(), os.path.dirname(_package()), *plan.readable]
        _confine_on_linux(plan, readable)
    else:
        _limit(plan, resource.RLIM_INFINITY)


def _confine_on_linux(plan: Plan, readable: list[str]) -> None:
    from archcheck.frontends.trace.child import kernel, landlock, namespaces, seccomp

    kernel.control(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    own = NAMESPACES in plan.parts
    if own:
        namespaces.narrow(plan.folder, readable, [*_SOURCES, *_SINKS], plan.numbers["file_size"])
    _limit(plan, plan.numbers["processes"] if own and os.getuid() else resource.RLIM_INFINITY)
    kernel.drop_capabilities()
    kernel.control(kernel.PR_SET_NO_NEW_PRIVS, 1)
    if LANDLOCK in plan.parts:
        landlock.restrict([*readable, *_PROC, *_SOURCES], [plan.folder, *_SINKS])
    if SECCOMP in plan.parts:
        seccomp.restrict()


def _package() -> str:
    import archcheck

    return os.path.abspath(archcheck.__file__)


def _interpreter() -> list[str]:
    """Where this interpreter and its packages lie; of a folder that may be somebody's home, only its parts."""
    environment = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
    prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    if os.path.exists(os.path.join(environment, "pyvenv.cfg")):
        prefixes.add(environment)
    found = [os.path.join(prefix, name) for prefix in sorted(prefixes) for name in _OF_A_PREFIX]
    return [*found, os.path.dirname(os.path.abspath(os.__file__)), *filter(os.path.isabs, sys.path)]


def _limit(plan: Plan, processes: int) -> None:
    """Set the limits of this process, none of which can be raised again.

    The number of processes counts all of a user's, and threads with them, so that it says something only in a user
    namespace of our own, and of root it is not asked. Elsewhere than on Linux it does not count threads, and a user
    who runs this has one process at least: a limit of none keeps from starting any.
    """
    limits = {
        "RLIMIT_CPU": plan.numbers["cpu"],
        "RLIMIT_AS": plan.numbers["memory"],
        "RLIMIT_FSIZE": plan.numbers["file_size"],
        "RLIMIT_NOFILE": plan.numbers["open_files"],
        "RLIMIT_CORE": 0,
        "RLIMIT_NPROC": processes if _LINUX else 0,
    }
    for name, wanted in limits.items():
        number = getattr(resource, name, None)
        if number is None or wanted == resource.RLIM_INFINITY:
            continue
        hard = resource.getrlimit(number)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(number, (value, value))
        except (ValueError, OSError):
            if _LINUX:
                raise  # macOS does not take all of them


def _write(path: str, text: str) -> None:
    with suppress(OSError), open(path, "w") as file:
        file.write(text)
