"""Landlock: which files this process may open, for good. Without root, from Linux 5.13 on."""

from __future__ import annotations

import os
import stat
import struct

from archcheck.frontends.trace.child import kernel
from archcheck.frontends.trace.child.channel import LANDLOCK, Refused

_WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL = 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
_DEVICES = 1 << 6 | 1 << 11  # making character and block devices
_FILES = ((1, (1 << 13) - 1), (2, 1 << 13), (3, _TRUNCATE), (5, _IOCTL))  # rights about files, since which ABI
_TCP = 3  # bind and connect, since ABI 4
_SCOPES = 3  # abstract Unix sockets and signals, since ABI 6

_READ = _READ_FILE | _READ_DIR
_O_PATH = 0o10000000


def version() -> int:
    """The ABI of this kernel.

    Raises:
        Refused: it has no landlock, or it is switched off.
    """
    try:
        return kernel.system("landlock", kernel.LANDLOCK_CREATE_RULESET, None, 0, 1)
    except OSError as error:
        raise Refused(LANDLOCK, f"the kernel does not offer it ({os.strerror(error.errno or 0)})") from None


def restrict(readable: list[str], writable: list[str]) -> None:
    """Nothing but these files and folders can be opened from now on, no TCP is spoken, nothing outside is signalled.

    Nothing can be executed, not even what is readable; a library can still be loaded, as it is only read.

    Args:
        readable: to be read, folders with all that is in them; those that do not exist are left out.
        writable: to be read and written, likewise.

    Raises:
        Refused: it is not to be had.
    """
    abi = version()
    handled = sum(rights for since, rights in _FILES if abi >= since)
    attributes = struct.pack("=QQQ", handled, _TCP, _SCOPES)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    try:
        rules = kernel.system("landlock", kernel.LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
        for path in readable:
            _allow(rules, path, _READ & handled)
        for path in writable:
            _allow(rules, path, handled & ~_DEVICES & ~_IOCTL & ~1)  # the lowest bit is to execute
        kernel.system("landlock", kernel.LANDLOCK_RESTRICT_SELF, rules, 0)
    except OSError as error:
        raise Refused(LANDLOCK, error.strerror or str(error)) from None
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, _O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not stat.S_ISDIR(os.stat(descriptor).st_mode):
        rights &= _READ_FILE | _WRITE_FILE | _TRUNCATE
    kernel.system("landlock", kernel.LANDLOCK_ADD_RULE, rules, 1, struct.pack("=Qi", rights, descriptor), 0)
    if not path.startswith("/proc/"):  # there, a rule is forgotten with the inode, which an open descriptor keeps
        os.close(descriptor)
