"""Time zones of processes: how one is given, and what the kernel says of it."""

from __future__ import annotations

from pathlib import Path

VARIABLE = "TZ"


def arguments(runtime: str, zone: str) -> tuple[str, ...]:
    """What a node's command gets besides the variable: PostgreSQL goes by its settings alone."""
    return ("-c", f"timezone={zone}") if runtime == "postgres" else ()


def of_process(pid: int) -> str | None:
    """The TZ that a process was executed with; empty for none, None when there is no such process."""
    try:
        told = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    words = dict(word.split(b"=", 1) for word in told.split(b"\0") if b"=" in word)
    return words.get(VARIABLE.encode(), b"").decode(errors="replace")
