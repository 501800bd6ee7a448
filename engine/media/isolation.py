"""Cuts this process off from the network, by a filter of system calls that cannot be removed.

On Linux (x86-64 and ARM64) every call that would open a socket fails with "permission denied"; the
channel to the server was open before. Sockets of the file system can be allowed, for a process that
serves some. Elsewhere there is no such filter, and nothing is done.
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
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_AF_UNIX = 1
_X32 = 0x40000000
"""x86-64 processes may also use the numbers of x32, which begin here."""


@dataclass(frozen=True, slots=True)
class _Machine:
    """An architecture: its number, and those of its calls that open or use other sockets.

    The first of them is `socket`, the last one `io_uring_setup`.
    """

    architecture: int
    calls: tuple[int, ...]


_MACHINES: Mapping[str, _Machine] = {
    # socket, connect, accept, bind, listen, socketpair, accept4, io_uring_setup
    "x86_64": _Machine(0xC000003E, (41, 42, 43, 49, 50, 53, 288, 425)),
    # socket, socketpair, bind, listen, accept, connect, accept4, io_uring_setup
    "aarch64": _Machine(0xC00000B7, (198, 199, 200, 201, 202, 203, 242, 425)),
}


def leave_network(*, local_sockets: bool = False) -> str | None:
    """Prevent this process, and any that it starts, from opening sockets from now on.

    Args:
        local_sockets: whether those of the file system are allowed (AF_UNIX).

    Returns:
        None if that holds; else why it does not, in words.
    """
    if not sys.platform.startswith("linux"):
        return f"{sys.platform} offers no way that is used here"
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return f"the system calls of {platform.machine()} are not known"
    code = _local_program(machine) if local_sockets else _program(machine)
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
    tests = [_step(_AT_LEAST, _X32, len(machine.calls) + 1)]
    tests += [
        _step(_EQUAL, call, len(machine.calls) - index) for index, call in enumerate(machine.calls)
    ]
    return b"".join(
        (
            *_known_machine(machine),
            *tests,
            _step(_RETURN, _ALLOW),
            _step(_RETURN, _FAIL | errno.EACCES),
        )
    )


def _local_program(machine: _Machine) -> bytes:
    """The filter that allows `socket` for AF_UNIX alone; what uses a socket is allowed."""
    return b"".join(
        (
            *_known_machine(machine),
            _step(_AT_LEAST, _X32, 5),
            _step(_EQUAL, machine.calls[-1], 4),
            _step(_EQUAL, machine.calls[0], 0, 2),
            _step(_LOAD, _FIRST_ARGUMENT_AT),
            _step(_EQUAL, _AF_UNIX, 0, 1),
            _step(_RETURN, _ALLOW),
            _step(_RETURN, _FAIL | errno.EACCES),
        )
    )


def _known_machine(machine: _Machine) -> tuple[bytes, ...]:
    """Ends a process that calls by the numbers of another architecture; then loads the number."""
    return (
        _step(_LOAD, _ARCHITECTURE_AT),
        _step(_EQUAL, machine.architecture, 1, 0),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD, _NUMBER_AT),
    )


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)
