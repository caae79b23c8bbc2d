"""One JSON object a line on stdout. Callers pass ids, states and codes: never tokens, keys or bodies."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from contextlib import suppress


def log(event: str, **fields: object) -> None:
    """Never raises: work must go on when its log cannot be written; the line is lost, or comes with the next one."""
    line = {"at": round(time.time(), 6), "event": event, **fields}
    with suppress(OSError):
        sys.stdout.write(json.dumps(line, separators=(",", ":"), default=str) + "\n")
        sys.stdout.flush()


class _JsonHandler(logging.Handler):
    """What libraries log, as one line too; an exception by its type and place, since its text may quote data."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, object] = {"logger": record.name, "level": record.levelname.lower()}
        if record.exc_info and record.exc_info[1] is not None:
            fields.update(failure_fields(record.exc_info[1]))
        else:
            fields["message"] = record.getMessage()
        log("library", **fields)


def failure_fields(error: BaseException) -> dict[str, object]:
    """An exception by its type and the place where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return {"error": type(error).__name__, "place": place}


def take_over_logging() -> None:
    """Route the standard library's logging through `log`, warnings and above."""
    root = logging.getLogger()
    root.handlers[:] = [_JsonHandler()]
    root.setLevel(logging.WARNING)
