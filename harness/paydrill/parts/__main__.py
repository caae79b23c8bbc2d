"""`python -m paydrill.parts`: obtain every part that local drills need; one line each."""

from __future__ import annotations

import sys

from paydrill.errors import EnvironmentNotReady
from paydrill.parts import nginx, postgres, toxiproxy


def main() -> int:
    def say(text: str) -> None:
        print(text, flush=True)

    try:
        parts = [toxiproxy.obtain(say), postgres.find(), nginx.find()]
    except EnvironmentNotReady as problem:
        print(f"paydrill: {problem}", file=sys.stderr)
        return problem.exit_code
    for part in parts:
        say(f"{part.name} {part.version} ({part.source})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
