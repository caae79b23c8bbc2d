"""Somebody who comes again and again while the block lasts, whatever faults do to the visits."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def now_and_then(name: str, every_s: float, visit: Callable[[], None]) -> Iterator[None]:
    """From a thread of that name. A visit may raise OSError or HTTPException; any other error ends them."""
    over = threading.Event()

    def come() -> None:
        while not over.wait(every_s):
            try:
                visit()
            except (OSError, http.client.HTTPException):
                continue  # refused or lost, as faults will have it; the next one comes

    thread = threading.Thread(target=come, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
