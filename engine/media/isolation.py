"""Cuts this process off from the network, by a filter of system calls that cannot be removed.

On Linux (x86-64 and ARM64) every call that would open a socket fails with "permission denied"; the
channel to the server was open before. Elsewhere there is no such filter, and nothing is done.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass

# linux/prctl.h, linux/seccomp.h, linux/filter.h, linux/audit.h
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_FAIL = 0x00050000
_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_X32 = 0x40000000
"""x86-64 processes may also use the numbers of x32, which begin here."""


@dataclass(frozen=True, slots=True)
class _Machine:
    """An architecture: its number, and those of its calls that open or use other sockets."""

    architecture: int
    calls: tuple[int, ...]


_MACHINES: Mapping[str, _Machine] = {
    # socket, connect, accept, bind, listen, socketpair, accept4, io_uring_setup
    "x86_64": _Machine(0xC000003E, (41, 42, 43, 49, 50, 53, 288, 425)),
    # socket, socketpair, bind, listen, accept, connect, accept4, io_uring_setup
    "aarch64": _Machine(0xC00000B7, (198, 199, 200, 201, 202, 203, 242, 425)),
}


def leave_network() -> str | None:
    """Prevent this process, and any that it starts, from opening sockets from now on.

    Returns:
        None if that holds; else why it does not, in words.
    """
    if not sys.platform.startswith("linux"):
        return f"{sys.platform} offers no way that is used here"
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return f"the system calls of {platform.machine()} are not known"
    code = _program(machine)
    instructions = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(instructions))
    held = ctypes.create_string_buffer(program, len(program))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or prctl(
        _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(held), 0, 0
    ):
        return f"the system refused: {errno.errorcode.get(ctypes.get_errno(), 'unknown')}"
    return None


def _program(machine: _Machine) -> bytes:
    """The filter, in the kernel's instructions (`struct sock_filter`)."""

    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    tests = [step(_AT_LEAST, _X32, len(machine.calls) + 1)]
    tests += [
        step(_EQUAL, call, len(machine.calls) - index) for index, call in enumerate(machine.calls)
    ]
    return b"".join(
        (
            step(_LOAD, _ARCHITECTURE_AT),
            step(_EQUAL, machine.architecture, 1, 0),
            step(_RETURN, _KILL_PROCESS),
            step(_LOAD, _NUMBER_AT),
            *tests,
            step(_RETURN, _ALLOW),
            step(_RETURN, _FAIL | errno.EACCES),
        )
    )
