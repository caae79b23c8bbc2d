"""Where the traceback of an error of paydrill itself is kept: one file in the cache folder, the last one."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path


def note_crash(argv: Sequence[str]) -> Path:
    """Write the exception being handled; returns the file."""
    from paydrill import __version__
    from paydrill.parts import cache_folder

    text = f"{datetime.now(UTC).isoformat()} paydrill {__version__} {list(argv)!r}\n{traceback.format_exc()}"
    for folder in (cache_folder(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "last-crash.log"
            path.write_text(text, encoding="utf-8")
            return path
        except OSError:
            continue
    return Path("nowhere: neither the cache nor the temporary folder can be written")
