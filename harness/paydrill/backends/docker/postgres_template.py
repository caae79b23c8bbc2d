"""PostgreSQL's data folder: made once per image, schema and settings, then copied for each run."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from docker.errors import APIError
from docker.models.containers import Container

from paydrill.backends import NodePlan
from paydrill.backends.docker import container, engine, fence, images, labels, owner
from paydrill.backends.docker.image_recipe import POSTGRES_BIN
from paydrill.backends.docker.node_process import NodeState
from paydrill.backends.docker.run_files import RunFiles
from paydrill.backends.postgres import SUPERUSER
from paydrill.errors import EnvironmentNotReady
from paydrill.parts import cache_folder

CLUSTER = "pg"
KEPT = 6
TIMEOUT_S = 120
_INSIDE = "/var/lib/paydrill"
_SERVER_FILES = ("paydrill.conf", "pg_hba.conf")

# Sockets only, in a container without a network; ends with a clean shutdown, so that a copy starts at once.
_MAKE = f"""
set -eu
cd {_INSIDE}
{POSTGRES_BIN}/initdb -D {CLUSTER} -U {SUPERUSER} --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
  --data-checksums --no-sync --no-instructions
cp paydrill.conf {CLUSTER}/
echo "include 'paydrill.conf'" >>{CLUSTER}/postgresql.conf
{POSTGRES_BIN}/pg_ctl -D {CLUSTER} -w -t 60 -o "-c listen_addresses='' -c unix_socket_directories={_INSIDE} -c jit=off" start
run() {{ {POSTGRES_BIN}/psql -X -q -v ON_ERROR_STOP=1 -h {_INSIDE} "$@"; }}
run -U {SUPERUSER} -d postgres -f bootstrap.sql
run -U "$1" -d "$1" -f schema.sql
{POSTGRES_BIN}/pg_ctl -D {CLUSTER} -w -m fast stop
"""


def provide(plan: NodePlan, image: str, database: str, files: RunFiles) -> None:
    """Put a cluster with the schema into the node's folder: a copy of the template, which is made if need be.

    Raises EnvironmentNotReady; for a schema that PostgreSQL refuses, with psql's words.
    """
    home = cache_folder() / "docker" / "postgres"
    home.mkdir(parents=True, exist_ok=True)
    template = home / _key(plan, image, database, files)
    cluster = files.data(plan.node.name) / CLUSTER
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.is_dir():
            _make(plan, image, database, files, template)
        (template / "used").touch()
        _keep_few(home)
        copy_tree(template / CLUSTER, cluster)
    for name in _SERVER_FILES:
        (cluster / name).write_text(plan.files[name], encoding="utf-8")
        files.user.give(cluster / name)


def server_argv(plan: NodePlan) -> tuple[str, ...]:
    """The JIT's library is not in the image."""
    return (f"{POSTGRES_BIN}/postgres", "-D", f"{_INSIDE}/{CLUSTER}", *plan.argv, "-c", "jit=off")


def _key(plan: NodePlan, image: str, database: str, files: RunFiles) -> str:
    digest = hashlib.sha256()
    texts = [f"{name}\n{text}" for name, text in sorted(plan.files.items())]
    for part in (_MAKE, images.image_id(image), database, str(files.user), *texts):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]


def copy_tree(source: Path, target: Path) -> None:
    """With owners and holes."""
    subprocess.run(
        ["cp", "-a", "--reflink=auto", str(source), str(target)], check=True, capture_output=True, timeout=60
    )


def _make(plan: NodePlan, image: str, database: str, files: RunFiles, template: Path) -> None:
    """In a container without a network; appears under its name only when it is whole."""
    name = f"template-{uuid.uuid4().hex[:8]}"
    scratch = files.data(name)
    for file, text in plan.files.items():
        (scratch / file).write_text(text, encoding="utf-8")
    files.user.give(scratch)
    blueprint = container.Blueprint(
        name=labels.container_name(files.run_id, name),
        host="template",
        image=image,
        argv=("/bin/sh", "-c", _MAKE, "sh", database),
        env={**plan.env, "HOME": _INSIDE, "TMPDIR": _INSIDE},
        labels=labels.of_run(files.run_id, owner.of_process(), str(files.folder)),
        user=files.user,
        entrance=files.entrance(name, fence.closed()),
        log=files.log(name),
        state=files.state(name),
        writable={_INSIDE: scratch},
    )
    _run(blueprint)
    incoming = template.with_name(f"{template.name}-incoming")
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir()
    copy_tree(scratch / CLUSTER, incoming / CLUSTER)
    incoming.rename(template)
    blueprint.log.unlink(missing_ok=True)


def _run(blueprint: container.Blueprint) -> None:
    made = container.create(engine.client(), blueprint)
    try:
        made.start()
        code = _exit_code(made, blueprint.state)
    finally:
        _remove(made.remove)
    if code != 0:
        said = blueprint.log.read_text(encoding="utf-8", errors="replace").strip()
        raise EnvironmentNotReady(f"PostgreSQL's data folder could not be made (exit {code}): {said[-800:]}")


def _exit_code(made: Container, state: Path) -> int | None:
    """Of the script; None when it does not end in time, or its container ends before it."""
    give_up = time.monotonic() + TIMEOUT_S
    while (code := NodeState.read(state).code) is None and time.monotonic() < give_up:
        made.reload()
        if made.status == "exited":
            break
        time.sleep(0.05)
    return code


def _remove(remove: Callable[..., None]) -> None:
    try:
        remove(force=True)
    except APIError:
        return  # the sweep finds it by its label


def _keep_few(home: Path) -> None:
    """Only the templates used last are kept: 40 MB each."""
    templates = [path for path in home.iterdir() if (path / "used").is_file()]
    templates.sort(key=lambda path: (path / "used").stat().st_mtime, reverse=True)
    for old in templates[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
