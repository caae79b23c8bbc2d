"""Tells a person what a running drill does, a line a step, read off its timeline."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import orjson

from paydrill.growing_file import GrowingFile

Say = Callable[[str], None]


class PhaseTeller:
    """Tells the phases of a run as they come, one line each."""

    def __init__(self, timeline: Path, progress: Say) -> None:
        # What stands in it already was told by whoever was here before.
        self._timeline = GrowingFile(timeline, timeline.stat().st_size if timeline.exists() else 0)
        self._progress = progress

    def tell(self) -> None:
        with suppress(FileNotFoundError):
            for line in self._timeline.new_lines():
                if text := _told(orjson.loads(line)):
                    self._progress(text)


def _told(line: dict[str, object]) -> str:
    match line["kind"]:
        case "phase" if line["name"] not in ("fault", "load", "starting", "judging", "end"):
            return str(line["name"])
        case "phase" if line["name"] == "load" and "t0" in line:
            return "load"
        case "fault":
            return f"fault {line['name']} on {', '.join(line['where'])}"  # type: ignore[arg-type]
        case "fired":
            return f"{line['detail']} has come" + (", its answer is held" if line["held"] else "")
        case "unfired":
            return f"NOT in force: {line['detail']}"
        case "witness":
            return f"{'witnessed' if line['witnessed'] else 'NOT witnessed'}: {line['detail']}"
        case "heal":
            return f"healed {line['name']}"
        case "settled":
            return f"settled after {line['waited_s']} s" if line["in_time"] else "did not settle in time"
        case "instrument_restarted":
            return f"{line['name']} had to be started anew, which cut what went through it: {line['detail']}"
        case "instrument_died" | "aborted":
            return f"{line['kind']}: {line['detail']}"
    return ""
