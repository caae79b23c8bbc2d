"""Every event by its name, from all sources, in the order of their files."""

from __future__ import annotations

from collections.abc import Mapping

from paydrill.events import EventKind, course, customers, psp

KINDS: Mapping[str, EventKind] = {kind.name: kind for kind in (*psp.KINDS, *customers.KINDS, *course.KINDS)}
