"""The temporary folder of a run: what its containers mount, and the data that they write."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from paydrill.backends.docker import owner
from paydrill.errors import EnvironmentNotReady

ENTER = Path(__file__).with_name("enter.sh")
PREFIX = "paydrill-docker-"

# The number that containers run as when the harness is root; nobody on a usual machine has it.
UID_FOR_ROOT = 60000


_NOT_SOURCE = shutil.ignore_patterns("__pycache__", ".git", ".venv", "*.pyc")


@dataclass(frozen=True)
class User:
    """Who the processes in containers are, on this machine too: their files must be ours to read."""

    uid: int
    gid: int

    @staticmethod
    def for_containers() -> User:
        if os.getuid() == 0:
            return User(UID_FOR_ROOT, UID_FOR_ROOT)
        return User(os.getuid(), os.getgid())

    def give(self, path: Path) -> None:
        """Make a file, or a folder and all in it, theirs; only root can and needs to."""
        if os.getuid() == 0:
            for one in (path, *path.rglob("*")):
                os.chown(one, self.uid, self.gid, follow_symlinks=False)


@dataclass(frozen=True)
class RunFiles:
    """Paths on this machine. `folder` is temporary, `logs` stays with the run."""

    run_id: str
    folder: Path
    logs: Path
    user: User

    @staticmethod
    def make(run_id: str, logs: Path) -> RunFiles:
        """A new folder, named after the run. Raises EnvironmentNotReady when there is no room for one."""
        try:
            folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{run_id}-"))
            # Searchable by the containers' user, listable by none but us.
            folder.chmod(0o711)
            (folder / "owner").write_text(owner.of_process(), encoding="ascii")
            logs.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise EnvironmentNotReady(f"no temporary folder for the run: {problem}; set TMPDIR") from problem
        return RunFiles(run_id, folder, logs.resolve(), User.for_containers())

    def data(self, node: str) -> Path:
        """The node's writable folder."""
        return self._folder("data", node, theirs=True)

    def entrance(self, node: str, fence: str) -> Path:
        """The folder that a container mounts read-only at /run/paydrill/: its fence and how to begin."""
        folder = self._folder("entrance", node, theirs=False)
        (folder / "fence.nft").write_text(fence, encoding="ascii")
        shutil.copyfile(ENTER, folder / "enter.sh")
        # A file cannot be mounted into a read-only folder unless there is one to mount over.
        for name in ("log", "state"):
            (folder / name).touch()
        self.state(node).write_text("", encoding="ascii")
        return folder

    def at_entrance(self, node: str, name: str) -> Path:
        """A file in the folder that the container sees at its entrance."""
        return self.folder / "entrance" / node / name

    def state(self, node: str) -> Path:
        """Where the container's first process says how the node is: see enter.sh."""
        return self._folder("states", node, theirs=False) / "state"

    def readable(self, source: Path, name: str) -> Path:
        """A copy of a source folder that every user can read, whatever the umask of its maker was; made once."""
        copy = self.folder / "sources" / name
        if copy.is_dir():
            return copy
        shutil.copytree(source, copy, symlinks=True, ignore=_NOT_SOURCE)
        for folder, _, files in os.walk(copy):
            os.chmod(folder, 0o755)
            for file in files:
                path = Path(folder, file)
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        return copy

    def vary(self, node: str, shell: str) -> None:
        """What the container's first process does before each start of the node (enter.sh); empty: nothing."""
        path = self._folder("entrance", node, theirs=False) / "vary.sh"
        temporary = path.with_suffix(".new")
        temporary.write_text(shell, encoding="utf-8")
        temporary.replace(path)

    def log(self, node: str) -> Path:
        """The node's log; whoever writes there does so through a descriptor opened as root."""
        path = self.logs / f"{node}.log"
        path.touch()
        path.chmod(0o666 if os.getuid() != 0 else 0o644)
        return path

    def remove(self) -> None:
        remove_folder(self.folder)

    def _folder(self, kind: str, node: str, *, theirs: bool) -> Path:
        parent = self.folder / kind
        parent.mkdir(mode=0o711, exist_ok=True)
        folder = parent / node
        if not folder.is_dir():
            # What a node writes may hold secrets; its entrance does not.
            folder.mkdir(mode=0o700 if theirs else 0o755)
            if theirs:
                self.user.give(folder)
        return folder


def remove_folder(folder: Path) -> None:
    """Remove a run's temporary folder; refuses any other folder, and is quiet about one that is gone."""
    if folder.name.startswith(PREFIX) and folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
