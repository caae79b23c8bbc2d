"""The table of traffic classes in `docs/scenarios.md`: `python -m paydrill.load.docs docs/scenarios.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from paydrill.load import classes

BEGIN = (
    "<!-- made by `python -m paydrill.load.docs docs/scenarios.md` from harness/paydrill/load/classes/ -->\n"
)
END = "<!-- end of what is made -->\n"


def classes_markdown() -> str:
    """What each class does, how its arrivals end where nothing is broken, and the event that it is there for."""
    head = "| class | what its customers do | ends | signature event | needs |\n|---|---|---|---|---|\n"
    rows = (
        f"| `{one.name}` | {one.summary} | {one.ends} | {one.signature} | {_needs(one.needs)} |\n"
        for one in classes.known().values()
    )
    return head + "".join(rows)


def _needs(needs: tuple[str, ...]) -> str:
    # A bar would end the cell of the table.
    return " ".join("`" + need.replace("|", "` or `") + "`" for need in needs)


def with_classes(page: str) -> str:
    """The page with its table made anew. Raises ValueError where it has no place for it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{classes_markdown()}\n{END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_classes(path.read_text(encoding="utf-8")), encoding="utf-8")
