"""Calls of the Linux kernel that Python has no function for; each raises OSError with the name of the call."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

# Numbers of calls that are newer than many a C library; from 424 on they are the same on all architectures but Alpha.
OPEN_TREE = 428
MOVE_MOUNT = 429
MOUNT_SETATTR = 442
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_ADD_RULE = 445
LANDLOCK_RESTRICT_SELF = 446

_CAPABILITIES = 64  # more than any kernel has
_CAPABILITY_VERSION_3 = 0x20080522

_library = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: int | bytes | None) -> int:
    """What the C library's function `name` returns.

    Raises:
        OSError: it returns -1, or the library does not have it.
    """
    function = getattr(_library, name, None)
    if function is None:
        raise OSError(f"{name}: the C library does not have it")
    function.restype = ctypes.c_long if name == "syscall" else ctypes.c_int
    result = int(function(*[ctypes.c_long(one) if isinstance(one, int) else ctypes.c_char_p(one) for one in arguments]))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def system(name: str, number: int, *arguments: int | bytes | None) -> int:
    """What the call with this number returns; `name` is for the error.

    Raises:
        OSError: it fails.
    """
    try:
        return call("syscall", number, *arguments)
    except OSError as error:
        raise OSError(error.errno, f"{name}: {os.strerror(error.errno or 0)}") from None


def control(option: int, *arguments: int) -> None:
    """`prctl`, which wants five arguments, and zeros where an option has fewer."""
    call("prctl", option, *arguments, *(0,) * (4 - len(arguments)))


def filter_calls(program: bytes, count: int) -> None:
    """Put a seccomp filter of `count` instructions in force for this thread, and for what it starts."""
    buffer = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("count", ctypes.c_ushort), ("instructions", ctypes.c_void_p))

    header = Program(count, ctypes.addressof(buffer))
    control(PR_SET_SECCOMP, 2, ctypes.addressof(header))


def drop_capabilities() -> None:
    """Give up what sets root apart, for good; the owner of the process stays who it was."""
    for capability in range(_CAPABILITIES):
        try:
            control(PR_CAPBSET_DROP, capability)
        except OSError:
            break  # there are no more of them, or this process may not; then it has none that could come back
    with suppress(OSError):  # Linux has ambient ones from 4.3 on
        control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = _CAPABILITY_VERSION_3.to_bytes(4, "little") + bytes(4)
    call("capset", header, bytes(24))
