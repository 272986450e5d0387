"""Takes from this process, for its whole life, the right to become another program.

Another program in its place would have neither its limits on memory nor, where the death of the supervisor is told by a
signal to one thread (prctl(2), PR_SET_PDEATHSIG), anything that ends it with the supervisor: the signal is that thread's
own, and a program that another thread starts is without it.

It is a seccomp filter (seccomp(2), `linux/filter.h`): it holds for all threads that begin later, and nothing removes it.
"""

import ctypes
import errno
import os

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_SECCOMP_MODE_FILTER = 2
_LOAD_WORD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000 | errno.EPERM
# Places in `struct seccomp_data`.
_NUMBER, _ARCHITECTURE = 0, 4
# x86-64: calls of the x32 ABI carry this bit. Of no other architecture is any number as large.
_OTHER_ABI = 0x40000000
# AUDIT_ARCH_* of linux/audit.h, and the numbers of execve and execveat.
_KNOWN = {"x86_64": (0xC000003E, 59, 322), "aarch64": (0xC00000B7, 221, 281)}


class _Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction))]


def deny_programs(libc):
    """From here on execve and execveat fail with EPERM. Raises OSError where the kernel refuses the filter."""
    known = _KNOWN.get(os.uname().machine)
    if known is None:
        return  # No level with walls knows such a machine either.
    architecture, execve, execveat = known
    instructions = (
        _Instruction(_LOAD_WORD, 0, 0, _ARCHITECTURE),
        _Instruction(_JUMP_IF_EQUAL, 0, 5, architecture),
        _Instruction(_LOAD_WORD, 0, 0, _NUMBER),
        _Instruction(_JUMP_IF_AT_LEAST, 3, 0, _OTHER_ABI),
        _Instruction(_JUMP_IF_EQUAL, 2, 0, execve),
        _Instruction(_JUMP_IF_EQUAL, 1, 0, execveat),
        _Instruction(_RETURN, 0, 0, _ALLOW),
        _Instruction(_RETURN, 0, 0, _FAIL),
    )
    array = (_Instruction * len(instructions))(*instructions)
    program = _Program(len(instructions), array)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _prctl(libc, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))


def _prctl(libc, option, *arguments):
    # Each argument is a whole word: ctypes would pass an int, and what is above it is not defined.
    words = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in (*arguments, 0, 0, 0, 0)[:4]]
    if libc.prctl(ctypes.c_int(option), *words) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"the kernel refused prctl {option}: {os.strerror(number)}")
