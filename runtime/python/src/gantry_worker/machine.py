"""What the worker asks of the operating system for itself. The isolation around it does not depend on any of it."""

import ctypes
import os
import resource
import signal

from .no_programs import deny_programs

_PR_SET_PDEATHSIG = 1
_IONBF = 2
_M_ARENA_MAX = -8
_MIB = 1024 * 1024
# Where the address space cannot be read: more than an interpreter with its packages takes.
_USUAL_BYTES = 192 * _MIB


def prepare():
    """Dies with the supervisor, stays this program, and does not hold back what C extensions print. Before any thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    # Each thread would reserve 64 MiB of addresses for itself, which count as memory.
    libc.mallopt(_M_ARENA_MAX, 1)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    deny_programs(libc)
    for name in ("stdout", "stderr"):
        libc.setvbuf(ctypes.c_void_p.in_dll(libc, name), None, _IONBF, 0)
    # A process that a function forks would speak to the supervisor in this one's place.
    os.register_at_fork(after_in_child=lambda: os._exit(1))


def limit_memory(memory_mib):
    """Lets the process have this much more than it has now: beyond it Python raises MemoryError."""
    try:
        with open("/proc/self/statm", "rb") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        used = _USUAL_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + memory_mib * _MIB
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def die():
    """Ends the process at once, whatever its threads do."""
    # Not by a signal: the first process of a namespace ignores its own.
    os._exit(1)
