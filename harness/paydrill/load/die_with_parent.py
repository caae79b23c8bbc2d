"""Runs a command that is killed when the process that started it dies: `die_with_parent.py ARGV…`.

A program of its own (nothing imported but ctypes and os), since a hook between fork and exec is not
safe in a process with threads. Beware: the kernel watches the *thread* that started it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
