"""The docker backend: nodes are containers on a network of their own (docs/docker.md)."""

from __future__ import annotations

from paydrill.backends.docker.backend import DockerBackend

__all__ = ["DockerBackend"]
