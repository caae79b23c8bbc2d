"""The attached backend: a stack that somebody else started; only the harness's own parts are run here."""

from __future__ import annotations

from paydrill.backends.attached.backend import AttachedBackend

__all__ = ["AttachedBackend"]
