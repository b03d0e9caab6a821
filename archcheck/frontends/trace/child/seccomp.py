"""A filter of system calls: no new processes, no sockets, no hand on other processes, none of the kernel's odd corners.

It is a list of what is refused, not of what is allowed: a framework with its threads, its allocators and its code
generators calls nearly everything that is left. Refused calls fail with EPERM, which Python and C libraries expect.
"""

from __future__ import annotations

import errno
import os
import struct
import sys

from archcheck.frontends.trace.child import kernel
from archcheck.frontends.trace.child.channel import SECCOMP, Refused

# Name: number on x86_64, number on aarch64; -1 where an architecture does not have it.
_REFUSED = {
    # other programs, other processes
    "fork": (57, -1), "vfork": (58, -1), "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "process_mrelease": (448, 448), "kcmp": (312, 272), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "tkill": (200, 130), "setpriority": (141, 140), "ioprio_set": (251, 30), "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # the network, and sockets of this machine (`socketpair` stays: it reaches nobody)
    "socket": (41, 198), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # memory that no limit counts, and that may outlive the process
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "semget": (64, 190),
    "msgget": (68, 186), "mq_open": (240, 180),
    # the way back out of namespaces and folders
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "setns": (308, 268),
    "unshare": (272, 97), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    # changes to files that are not opened, which landlock does not ask about, or not on every kernel
    "truncate": (76, 45), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    # what kernels were broken by, and what belongs to the machine
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "modify_ldt": (154, -1), "personality": (135, 92),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "acct": (163, 89), "swapon": (167, 224), "swapoff": (168, 225),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "clock_adjtime": (305, 266), "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162),
    "iopl": (172, -1), "ioperm": (173, -1), "syslog": (103, 116), "vhangup": (153, 58), "lookup_dcookie": (212, 18),
}  # fmt: skip

# These are said to be done, and are not: whoever copies a file sets its mode and times, and needs neither here.
_PRETENDED = {
    "chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, -1),
    "fchown": (93, 55), "lchown": (94, -1), "fchownat": (260, 54), "utime": (132, -1), "utimes": (235, -1),
    "futimesat": (261, -1), "utimensat": (280, 88),
}  # fmt: skip

# Name: numbers, whether 0 ("me") is allowed too. The first argument must be this process.
_SELF_ONLY = {
    "kill": (62, 129, False), "tgkill": (234, 131, False), "rt_sigqueueinfo": (129, 138, False),
    "rt_tgsigqueueinfo": (297, 240, False), "prlimit64": (302, 261, True), "sched_setaffinity": (203, 122, True),
    "sched_setscheduler": (144, 119, True), "sched_setparam": (142, 118, True), "sched_setattr": (314, 274, True),
}  # fmt: skip

# Name: numbers, which argument, and the values that are refused.
_NOT_WITH = {
    "fcntl": (72, 25, 1, (8, 10, 15)),  # F_SETOWN, F_SETSIG, F_SETOWN_EX: signals to others by way of a file
    "ioctl": (16, 29, 1, (0x5412, 0x541C, 0x8901, 0x8902)),  # TIOCSTI, TIOCLINUX: typing; FIOSETOWN, SIOCSPGRP
    "prctl": (157, 167, 0, (kernel.PR_SET_PDEATHSIG,)),  # or it outlives who watches it
}

_CLONE = (56, 220)
_CLONE3 = (435, 435)
_CLONE_THREAD = 0x10000

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # which column, and the kernel's name for it
_X32 = 0x40000000  # the bit of calls in the x32 convention, where the same calls have other numbers

_LOAD, _EQUAL, _AT_LEAST, _HAS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # instructions of the filter machine
_NUMBER, _MACHINE = 0, 4  # where the call's number and the machine's name stand in what a filter sees
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000


def restrict() -> None:
    """Put the filter in force for this process, which has one thread and cannot gain privileges.

    Raises:
        Refused: there is no filter for this machine, or the kernel takes none.
    """
    machine = os.uname().machine
    if machine not in _MACHINES or struct.calcsize("P") != 8 or sys.byteorder != "little":
        raise Refused(SECCOMP, f"no list of system calls for {machine} with {struct.calcsize('P') * 8} bits")
    program = _program(machine, os.getpid())
    try:
        kernel.filter_calls(program, len(program) // 8)
    except OSError as error:
        raise Refused(SECCOMP, f"the kernel takes no filter ({error.strerror})") from None


def _program(machine: str, process: int) -> bytes:
    column, name = _MACHINES[machine]
    refuse = _step(_RETURN, _FAIL | errno.EPERM)
    allow = _step(_RETURN, _ALLOW)
    steps = [_step(_LOAD, _MACHINE), _step(_EQUAL, name, 1, 0), _step(_RETURN, _KILL), _step(_LOAD, _NUMBER)]
    if machine == "x86_64":
        steps += [_step(_AT_LEAST, _X32, 0, 1), _step(_RETURN, _FAIL | errno.ENOSYS)]
    for calls, outcome in ((_REFUSED, refuse), (_PRETENDED, _step(_RETURN, _FAIL))):
        for numbers in calls.values():
            if numbers[column] >= 0:
                steps += [_step(_EQUAL, numbers[column], 0, 1), outcome]
    for *both, zero in _SELF_ONLY.values():
        own = [_step(_EQUAL, one, 0, 1) + allow for one in ((process, 0) if zero else (process,))]
        steps += _when(both[column], _argument(0), *own, refuse)
    for *both, place, values in _NOT_WITH.values():
        steps += _when(both[column], _argument(place), *[_step(_EQUAL, one, 0, 1) + refuse for one in values], allow)
    # A thread is a clone that shares all. Of clone3 a filter cannot see the flags: the C library falls back to clone.
    steps += _when(_CLONE[column], _argument(0), _step(_HAS, _CLONE_THREAD, 0, 1) + allow, refuse)
    steps += [_step(_EQUAL, _CLONE3[column], 0, 1), _step(_RETURN, _FAIL | errno.ENOSYS), allow]
    return b"".join(steps)


def _when(number: int, *steps: bytes) -> list[bytes]:
    return [_step(_EQUAL, number, 0, sum(map(len, steps)) // 8), *steps]


def _argument(place: int) -> bytes:
    return _step(_LOAD, 16 + 8 * place)  # the low half: process ids, commands and these flags have no more


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)
