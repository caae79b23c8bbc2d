"""What `make test` leaves out, `make test-all` runs."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
AS_DRILLS = {
    "test_benign.py": "part 3 runs the benign controls with Docker",
    "test_mutants.py": "part 2 runs the mutants with Docker",
}


def test_every_file_with_exhaustive_tests_has_a_job():
    jobs = (TESTS / "exhaustive.py").read_text(encoding="utf-8")
    marked = [
        path
        for path in sorted(TESTS.rglob("test_*.py"))
        if re.search(r"mark\.exhaustive", path.read_text(encoding="utf-8"))
    ]
    assert len(marked) > len(AS_DRILLS) + 5
    forgotten = [str(path.relative_to(TESTS.parent)) for path in marked if path.name not in AS_DRILLS]
    assert [path for path in forgotten if path not in jobs] == []
