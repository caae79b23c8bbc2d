"""The minishop as somebody else runs it, started by the first of the two commands of targets/attached/README.md."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "targets" / "attached"
BIN = Path(sys.executable).parent
ENTRANCE = "http://127.0.0.1:8200/health"
PORTS = (8200, 12200)


def commands() -> tuple[str, str]:
    """The README's two commands."""
    start, drill = re.findall(r"```sh\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.S)
    return start.strip(), drill.strip()


def port_in_use() -> int | None:
    """A port of the example that somebody listens on already."""
    for port in PORTS:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return port
    return None


@contextmanager
def started(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The shop, with its own things below `folder`."""
    command = commands()[0].replace("/tmp/minishop", str(folder / "shop"))
    env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(["bash", "-c", command], cwd=ROOT, env=env)
    try:
        await_entrance(process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_entrance(process: subprocess.Popen[bytes], within_s: float = 30.0) -> None:
    give_up = time.monotonic() + within_s
    while True:
        assert process.poll() is None, "the shop has ended"
        try:
            with urllib.request.urlopen(ENTRANCE, timeout=2):
                return
        except OSError:
            assert time.monotonic() < give_up, "the shop does not answer"
            time.sleep(0.05)
