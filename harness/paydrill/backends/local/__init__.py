"""The local backend: real PostgreSQL, nginx and Toxiproxy as child processes, no Docker."""

from __future__ import annotations

from paydrill.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
