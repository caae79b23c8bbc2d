"""What is in an image, and what engine runs it: an image is asked once, then the answer is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from docker.errors import ContainerError

from paydrill.backends.docker import engine, images, labels, owner
from paydrill.errors import EnvironmentNotReady
from paydrill.parts import cache_folder

# Runs inside the image and prints one JSON object: libraries (name -> version) and programs
# (name -> version, path, sha256).
_ASK = r"""
import glob, hashlib, importlib.metadata, json, os, platform, re, subprocess
asked = {"nginx": "/usr/sbin/nginx -v", "toxiproxy": "/usr/local/bin/toxiproxy-server -version",
         "python": "/usr/bin/python3 --version"}
asked |= {"postgresql": path + " --version" for path in glob.glob("/usr/lib/postgresql/*/bin/postgres")}
programs = {}
for name, command in asked.items():
    path = command.split()[0]
    if os.path.exists(path):
        done = subprocess.run(command.split(), capture_output=True, text=True)
        found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        programs[name] = {"version": found.group() if found else "unknown", "path": path, "sha256": digest}
libraries = {d.name.lower(): d.version for d in importlib.metadata.distributions()}
print(json.dumps({"libraries": libraries, "programs": programs}, sort_keys=True))
"""


@dataclass(frozen=True)
class Contents:
    """libraries: name -> version; programs: name -> `version`, `path` in the image, `sha256`."""

    libraries: Mapping[str, str]
    programs: Mapping[str, Mapping[str, str]]


def of_image(reference: str) -> Contents:
    """Raises EnvironmentNotReady when the image cannot be asked."""
    question = hashlib.sha256(_ASK.encode()).hexdigest()[:8]
    image = images.image_id(reference).removeprefix("sha256:")[:24]
    kept = cache_folder() / "docker" / "contents" / f"{image}-{question}.json"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(_ask(reference))
    said = json.loads(kept.read_bytes())
    return Contents(said["libraries"], said["programs"])


def of_engine() -> str:
    return str(engine.client().version()["Version"])


def facts_of_engine() -> dict[str, object]:
    """How the engine keeps and limits containers."""
    told = engine.client().info()
    wanted = {
        "storage": "Driver",
        "cgroups": "CgroupVersion",
        "cgroup_driver": "CgroupDriver",
        "kernel": "KernelVersion",
        "system": "OperatingSystem",
    }
    return {name: told.get(key) for name, key in wanted.items()}


def _ask(reference: str) -> bytes:
    marks = labels.of_run("contents", owner.of_process(), "")
    argv = ["python3", "-c", _ASK]
    try:
        said = engine.client().containers.run(reference, argv, remove=True, network_mode="none", labels=marks)
    except ContainerError as problem:
        raise EnvironmentNotReady(f"{reference} does not say what is in it: {problem}") from problem
    return bytes(said)
