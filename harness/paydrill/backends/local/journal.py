"""What a local drill leaves on this machine while it runs, written down so that `clean` can find it.

One small file a run in the cache folder: who owns the run (pid and start time) and its folders. It is
there before anything is made and goes with the last of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from paydrill.backends import loops, processes
from paydrill.backends.local import limits
from paydrill.backends.local.cluster import forget_shared_memory
from paydrill.backends.psp_command import CONTROL_SOCKET
from paydrill.parts import cache_folder
from paydrill.topology import PSPS

WATCHDOG_WITHIN_S = 5.0


@dataclass(frozen=True)
class Footprint:
    """owner_pid, owner_started: the harness; work: temporary folder; run_mode: to be given back to run_dir."""

    run_id: str
    owner_pid: int
    owner_started: str
    run_dir: str
    run_mode: int
    work: str

    def write(self) -> None:
        path = _file(self.run_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    def remove(self) -> None:
        """Remove what dead processes left; nothing of it may run any more. Idempotent."""
        work, run_dir = Path(self.work), Path(self.run_dir)
        loops.remove(work)
        limits.forget(self.run_id)
        for data in work.glob("*/pg"):
            forget_shared_memory(data)
        shutil.rmtree(work, ignore_errors=True)
        if run_dir.is_dir():
            os.chmod(run_dir, self.run_mode)
            for psp in PSPS:
                (run_dir / psp / CONTROL_SOCKET).unlink(missing_ok=True)
                _give_back(run_dir / psp, run_dir)
        if work.exists():
            raise OSError(f"{work} could not be removed")
        _file(self.run_id).unlink(missing_ok=True)


def sweep_dead_runs() -> list[str]:
    """Remove what is left of runs whose owner is dead; a phrase each. Live runs are not touched."""
    done = []
    for path in sorted(_folder().glob("*.json")):
        footprint = _read(path)
        if footprint is None or processes.is_running(footprint.owner_pid, footprint.owner_started):
            continue
        logs = Path(footprint.run_dir) / "logs"
        give_up = time.monotonic() + WATCHDOG_WITHIN_S
        while processes.writing_to(logs) and time.monotonic() < give_up:
            time.sleep(0.02)  # its watchdog may be at it
        loops.thaw(loops.of_files_below(Path(footprint.work)))
        processes.end_all(lambda logs=logs: processes.writing_to(logs), WATCHDOG_WITHIN_S)  # type: ignore[misc]
        with contextlib.suppress(FileNotFoundError):
            footprint.remove()
        done.append(f"local run {footprint.run_id}: {footprint.work}")
    return done


def _folder() -> Path:
    return cache_folder() / "local-runs"


def _file(run_id: str) -> Path:
    return _folder() / f"{run_id}.json"


def _read(path: Path) -> Footprint | None:
    """None for a torn file: it was written by a run that had made nothing yet, and is removed."""
    try:
        return Footprint(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        path.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    return None


def _give_back(folder: Path, like: Path) -> None:
    """The PSP wrote as a user of its own: its files become the run folder's owner's."""
    if os.geteuid() != 0 or not folder.is_dir():
        return
    owner = like.stat()
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
