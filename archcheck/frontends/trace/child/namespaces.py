"""Namespaces: a system with no network and no other processes, whose files are those that are readable.

Without root where the machine lets users make them (`user.max_user_namespaces`, AppArmor, a container's filter).
"""

from __future__ import annotations

import os
import struct

from archcheck.frontends.trace.child import kernel
from archcheck.frontends.trace.child.channel import NAMESPACES, Refused

_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
_NEWUSER, _NEWPID, _NEWNET = 0x10000000, 0x20000000, 0x40000000

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 1, 2, 4, 8, 1 << 14, 1 << 18
_MNT_DETACH = 2

_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV, _ATTR_NOEXEC = 1, 2, 4, 8

_INODES = 20_000  # files and folders that the code may make


def leave() -> None:
    """Go to namespaces of our own, where this process may mount; its next child is the first of its processes.

    Raises:
        Refused: the machine does not let it.
    """
    user, group = os.geteuid(), os.getegid()
    flags = _NEWUSER | _NEWNS | _NEWCGROUP | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET
    try:
        kernel.call("unshare", flags)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            _write(f"/proc/self/{name}", text)
        kernel.call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    except OSError as error:
        raise Refused(NAMESPACES, error.strerror or str(error)) from None


def narrow(folder: str, readable: list[str], devices: list[str], size: int) -> None:
    """See nothing but these files and folders, read-only, and `folder`, which is in memory and begins empty.

    Called by the first process after `leave`. Every path stays what it was.

    Args:
        folder: an empty folder; the working folder afterwards.
        readable: to be seen, folders with all that is in them; those that do not exist are left out.
        devices: to be seen and written.
        size: bytes that may be written to `folder` in all.

    Raises:
        Refused: the machine does not let it.
    """
    try:
        trees = _trees(readable, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV)
        trees.update(_trees(devices, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NOEXEC))  # devices are written to all the same
        root = folder
        kernel.call("mount", b"tmpfs", os.fsencode(root), b"tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=755,size=1m")
        for path, (descriptor, is_folder) in trees.items():
            _place(root + path, is_folder)
            _move(descriptor, root + path)
            os.close(descriptor)
        _place(f"{root}/proc", True)
        # Read-only: of root's settings in /proc/sys, the kernel asks who owns them, and not in which namespace.
        flags = _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
        kernel.call("mount", b"proc", os.fsencode(f"{root}/proc"), b"proc", flags, None)
        _place(root + folder, True)
        options = f"mode=700,size={size},nr_inodes={_INODES}".encode()
        kernel.call("mount", b"tmpfs", os.fsencode(root + folder), b"tmpfs", _MS_NOSUID | _MS_NODEV, options)
        _restrict(_AT_FDCWD, root, _ATTR_RDONLY, 0)
        os.chdir(root)
        kernel.call("pivot_root", b".", b".")  # the old root is now mounted upon the new one, at the working folder
        kernel.call("umount2", b".", _MNT_DETACH)
        os.chdir("/")
        os.chdir(folder)
    except OSError as error:
        raise Refused(NAMESPACES, error.strerror or str(error)) from None


def _trees(paths: list[str], attributes: int) -> dict[str, tuple[int, bool]]:
    """For each place in the new system, a mount that is not attached yet, and whether it is a folder.

    They are made before the new root is mounted, which may lie inside one of them. What is reached by a link has two
    places, where the link is and where it leads.
    """
    places = sorted({place for path in paths for place in (os.path.abspath(path), os.path.realpath(path))})
    found: dict[str, tuple[int, bool]] = {}
    for place in places:
        if place == "/" or not os.path.exists(place) or any(place.startswith(f"{outer}/") for outer in found):
            continue
        flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
        tree = kernel.system("open_tree", kernel.OPEN_TREE, _AT_FDCWD, os.fsencode(place), flags)
        _restrict(tree, "", attributes, _AT_EMPTY_PATH | _AT_RECURSIVE)
        found[place] = tree, os.path.isdir(place)
    return found


def _restrict(folder: int, path: str, attributes: int, flags: int) -> None:
    wanted = struct.pack("=QQQQ", attributes, 0, 0, 0)
    name = "mount_setattr"
    kernel.system(name, kernel.MOUNT_SETATTR, folder, os.fsencode(path), flags, wanted, len(wanted))


def _move(tree: int, target: str) -> None:
    name = os.fsencode(target)
    kernel.system("move_mount", kernel.MOVE_MOUNT, tree, b"", _AT_FDCWD, name, _MOVE_MOUNT_F_EMPTY_PATH)


def _place(path: str, is_folder: bool) -> None:
    """Something to mount on."""
    os.makedirs(path if is_folder else os.path.dirname(path), exist_ok=True)
    if not is_folder and not os.path.exists(path):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
