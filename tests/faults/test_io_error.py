"""How failing calls end: by a word to libfiu, or with the process where it hears none."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from paydrill.backends import CommandResult, failing_io
from paydrill.faults.io_error import _hush
from paydrill.topology import Node

NODE = Node("worker-1", "worker", 1)


@pytest.mark.parametrize(("code", "killed"), [(0, []), (1, [NODE])])
def test_a_process_that_hears_nothing_of_the_end_is_killed_to_be_started_anew(code, killed):
    asked, gone = [], []

    def run_in(node, argv, timeout_s):
        asked.append(argv[-1])
        return CommandResult(code, b"1", b"No such device or address")

    stack = SimpleNamespace(io_pipes=lambda node: "/pipes/fiu", run_in=run_in, kill=gone.append)
    _hush(stack, NODE, failing_io.end("read"))
    assert asked == [failing_io.end("read")[-1]]
    assert gone == killed
