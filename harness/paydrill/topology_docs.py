"""The pictures in a target's README.md, made from its topologies.

    python -m paydrill.topology_docs targets/reference            shows what differs; exit 1 if anything does
    python -m paydrill.topology_docs targets/reference --write    renews them

A picture stands between `<!-- topology NAME -->` and `<!-- /topology -->`; the rest is left as it is.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from paydrill.errors import UsageError
from paydrill.target_file import load_target
from paydrill.topology_file import load_topology
from paydrill.topology_picture import picture

_MARKED = re.compile(r"(<!-- topology (\S+) -->\n).*?(<!-- /topology -->)", re.S)


def renewed(readme: str, target_folder: Path) -> str:
    """The text with every marked picture made anew. Raises FileProblems, UsageError (no such topology)."""
    target = load_target(target_folder)

    def drawn(marked: re.Match[str]) -> str:
        return f"{marked[1]}```\n{picture(load_topology(target, marked[2]))}\n```\n{marked[3]}"

    return _MARKED.sub(drawn, readme)


def main(arguments: Sequence[str]) -> int:
    folders = [Path(argument) for argument in arguments if argument != "--write"]
    stale = 0
    for folder in folders:
        readme = folder / "README.md"
        before = readme.read_text(encoding="utf-8")
        after = renewed(before, folder)
        if "--write" in arguments:
            readme.write_text(after, encoding="utf-8")
        else:
            changes = difflib.unified_diff(
                before.splitlines(True), after.splitlines(True), "as it is", "anew"
            )
            sys.stdout.writelines(changes)
            stale += before != after
    return 1 if stale else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (UsageError, OSError) as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(2)
