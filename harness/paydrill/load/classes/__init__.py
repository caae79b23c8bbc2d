"""Traffic classes: one file each; the class's `name` is the word in a scenario's `mix`.

To add one: write `classes/<name>.py` with a class and a last line `TRAFFIC = <class>()`; nothing else.
"""

from __future__ import annotations

from paydrill.load.traffic import Traffic


def known() -> dict[str, Traffic]:
    """Every traffic class by name, found by looking at the files of this folder."""
    import importlib
    import pkgutil

    found: dict[str, Traffic] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        traffic = getattr(importlib.import_module(f"{__name__}.{module.name}"), "TRAFFIC", None)
        if traffic is not None:
            found[traffic.name] = traffic
    return found
