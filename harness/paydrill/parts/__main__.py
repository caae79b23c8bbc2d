"""`python -m paydrill.parts [PART…]`: obtain the parts that local drills need (default: all); one line each."""

from __future__ import annotations

import sys

from paydrill.errors import EnvironmentNotReady
from paydrill.parts import nginx, postgres, toxiproxy


def say(text: str) -> None:
    print(text, flush=True)


OBTAIN = {
    "toxiproxy": lambda: toxiproxy.obtain(say),
    "postgres": postgres.find,
    "nginx": nginx.find,
}


def main(names: list[str]) -> int:
    """Every part is tried, whatever became of the one before; the exit code is that of the last trouble."""
    if unknown := [name for name in names if name not in OBTAIN]:
        print(f"paydrill: no part {', '.join(unknown)}: there are {', '.join(OBTAIN)}", file=sys.stderr)
        return 2
    code = 0
    for name in names or OBTAIN:
        try:
            part = OBTAIN[name]()
            say(f"{part.name} {part.version} ({part.source})")
        except EnvironmentNotReady as problem:
            print(f"paydrill: {problem}", file=sys.stderr)
            code = problem.exit_code
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
