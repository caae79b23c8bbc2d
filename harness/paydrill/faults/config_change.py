"""config_change: somebody changes settings of some nodes, which are restarted with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Variant, processes
from paydrill.faults import InForce, Scene
from paydrill.faults.ending import Signal
from paydrill.faults.otherwise import OtherwiseFault, running_otherwise, whom

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_SETTINGS = ("PATH", "HOME", "TMPDIR", "PYTHONPATH")
MOST_BYTES = 4000


@dataclass(frozen=True, kw_only=True)
class ConfigChange(OtherwiseFault):
    """The nodes are restarted one after the other with the environment of `set` besides or in place of their
    own, as it stands (no templates); at the end they are restarted with their own.
    """

    name: ClassVar[str] = "config_change"
    summary: ClassVar[str] = "settings of some nodes are changed, and they are restarted with them"
    example: ClassVar[Mapping[str, object]] = {"nodes": ("payments-1",), "set_": {"PSP_CALL_S": "0.2"}}

    nodes: tuple[str, ...]
    set_: Mapping[str, str]
    signal: Signal = "TERM"
    grace_ms: int = 2000

    def __post_init__(self) -> None:
        if not self.set_:
            raise ValueError("set: nothing is changed; expected such as {PSP_CALL_S: 0.2}")
        for name, value in self.set_.items():
            if not _NAME.fullmatch(name) or name in _NOT_SETTINGS:
                raise ValueError(
                    f"set: {name!r} is no setting; expected the name of a variable of the target's"
                )
            if "\0" in value or len(value.encode()) > MOST_BYTES:
                raise ValueError(
                    f"set: the value of {name} cannot be one: at most {MOST_BYTES} bytes, no NUL"
                )

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        nodes, variant = whom(scene.stack.topology, self.nodes), Variant(env=self.set_)
        with running_otherwise(
            scene.stack, nodes, variant, self.signal, self.grace_ms, self._missing
        ) as in_force:
            yield in_force

    def _missing(self, pid: int) -> str:
        has = processes.environment(pid)
        wrong = [name for name, value in self.set_.items() if has.get(name) != value]
        return f"(pid {pid}) has other values of {', '.join(wrong)}" if wrong else ""


FAULT = ConfigChange
