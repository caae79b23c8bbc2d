"""The tables of events and numbers in docs/scenarios.md, made from what there is.

python -m paydrill.events.docs docs/scenarios.md
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from paydrill.events.gauges import GAUGES
from paydrill.events.known import KINDS

BEGIN = "<!-- made by `python -m paydrill.events.docs docs/scenarios.md` from harness/paydrill/events/ -->"
END = "<!-- end of the events -->"


def with_tables(text: str) -> str:
    """The page with its tables made anew. Raises ValueError when it has no place for them."""
    made = "\n".join([BEGIN, "", *_events(), "", *_gauges(), "", END])
    new, count = re.subn(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: made, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"expected one place between {BEGIN} and {END}, found {count}")
    return new


def _events() -> Iterator[str]:
    yield "| event | what has happened | narrowed by | can be held |"
    yield "|---|---|---|---|"
    for kind in KINDS.values():
        filters = (
            f"`{key}`" + (f" ({', '.join(words)})" if words else "") for key, words in kind.filters.items()
        )
        held = kind.hold.point.replace("_", " ") if kind.hold else "no"
        yield f"| `{kind.name}` | {kind.summary} | {', '.join(filters)} | {held} |"


def _gauges() -> Iterator[str]:
    yield "| metric | what |"
    yield "|---|---|"
    yield from (f"| `{name}` | {what} |" for name, what in GAUGES.items())


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
