"""The traffic classes in a sentence."""

from __future__ import annotations

from paydrill.verdict import LoadResult


def traffic_line(load: LoadResult) -> str:
    """How many arrivals ended as their class declares, and which class never saw its event; empty without any."""
    if not load.classes:
        return ""
    arrivals = sum(one.arrivals for one in load.classes)
    as_declared = sum(one.as_declared for one in load.classes)
    unseen = [one.name for one in load.classes if not one.signatures]
    told = f"{as_declared} of {arrivals} arrivals of {len(load.classes)} traffic classes ended as declared"
    told += f"; never tried what it is for: {', '.join(unseen)}" if unseen else ""
    return told + (f"; not offered by the target: {', '.join(load.left_out)}" if load.left_out else "")
