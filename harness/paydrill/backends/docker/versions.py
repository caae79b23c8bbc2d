"""What is in an image: asked once of each image, then kept."""

from __future__ import annotations

import hashlib
import json

from docker.errors import ContainerError

from paydrill.backends.docker import engine, images, labels, owner
from paydrill.errors import EnvironmentNotReady
from paydrill.parts import cache_folder

# Runs inside the image: one JSON object, name -> version.
_ASK = r"""
import glob, importlib.metadata, json, platform, re, subprocess
said = {d.name.lower(): d.version for d in importlib.metadata.distributions()}
said["python"] = platform.python_version()
programs = {"nginx": "/usr/sbin/nginx -v", "toxiproxy": "/usr/local/bin/toxiproxy-server -version"}
for path in glob.glob("/usr/lib/postgresql/*/bin/postgres"):
    programs["postgresql"] = path + " --version"
for name, command in programs.items():
    try:
        done = subprocess.run(command.split(), capture_output=True, text=True)
    except FileNotFoundError:
        continue
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    if found:
        said[name] = found.group()
print(json.dumps(said))
"""


def of_image(reference: str) -> dict[str, str]:
    """Version by part: `postgresql`, `nginx`, `toxiproxy`, `python`, and each library by its name."""
    asked = hashlib.sha256(_ASK.encode()).hexdigest()[:8]
    kept = (
        cache_folder()
        / "docker"
        / "versions"
        / f"{images.image_id(reference).removeprefix('sha256:')[:24]}-{asked}.json"
    )
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(_ask(reference), sort_keys=True), encoding="utf-8")
    found = json.loads(kept.read_text(encoding="utf-8"))
    return {str(name): str(version) for name, version in found.items()}


def of_engine() -> str:
    return str(engine.client().version()["Version"])


def _ask(reference: str) -> dict[str, str]:
    try:
        said = engine.client().containers.run(
            reference,
            ["python3", "-c", _ASK],
            remove=True,
            network_mode="none",
            labels=labels.of_run("versions", owner.of_process(), ""),
        )
    except ContainerError as problem:
        raise EnvironmentNotReady(f"{reference} does not say what is in it: {problem}") from problem
    found: dict[str, str] = json.loads(said)
    return found
