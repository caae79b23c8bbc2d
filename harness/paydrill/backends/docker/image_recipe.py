"""What is in an image, as text: the Dockerfile, its libraries, and a tag that names its content (pure).

No code of ours or of the target is in an image: it is mounted read-only, so that an edit or a mutant
needs no build.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from paydrill.backends import failing_io, fake_time
from paydrill.backends.docker import labels
from paydrill.backends.docker.base_image import SUITE, SUITE_POSTGRESQL, SUITE_PYTHON

SITE = f"/usr/local/lib/python{SUITE_PYTHON}/dist-packages"
# A node has a clock of its own where a plan steps one; loaded there only.
PACKAGES_OF_ALL = (fake_time.PACKAGE,)
PACKAGES_OF_RUNTIME: Mapping[str, tuple[str, ...]] = {
    "postgres": (f"postgresql-{SUITE_POSTGRESQL}",),
    "nginx": ("nginx-light",),
    "python": (failing_io.PACKAGE,),
}
POSTGRES_BIN = f"/usr/lib/postgresql/{SUITE_POSTGRESQL}/bin"

# The JIT's LLVM alone weighs 107 MB; PostgreSQL runs with jit=off instead.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "*/libLLVM*")


@dataclass(frozen=True)
class Recipe:
    """name: repository without `paydrill/`; programs: file name in /usr/local/bin -> its sha256."""

    name: str
    packages: tuple[str, ...]
    requirements: tuple[str, ...]
    pins: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)

    def reference(self, flavour: str = SUITE) -> str:
        """`paydrill/<name>:<hash>`: equal for equal content. flavour: what kind of base it stands on.

        Not the base's own name: pulled or made here, the same Debian serves.
        """
        content = [
            self.dockerfile(flavour),
            *sorted(self.requirements),
            *(f"{name}=={version}" for name, version in sorted(self.pins.items())),
            *(f"{name} {sha256}" for name, sha256 in sorted(self.programs.items())),
        ]
        digest = hashlib.sha256("\n".join(content).encode()).hexdigest()
        return f"paydrill/{self.name}:{digest[:12]}"

    def dockerfile(self, base: str) -> str:
        lines = [f"FROM {base}", _first_layer()]
        if self.packages:
            lines.append(f"RUN {_INSTALL} {' '.join(self.packages)} && {_TIDY}")
        if self.programs:
            lines.append(f"COPY {' '.join(sorted(self.programs))} /usr/local/bin/")
        if self.requirements:
            lines += [f"COPY site {SITE}", f"RUN python3 -m compileall -q -j0 {SITE} "]
        lines.append(f"LABEL {labels.IMAGE}={self.name} {labels.BASE}={base}")
        return "\n".join(lines) + "\n"


_INSTALL = (
    "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends"
)
_TIDY = "rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin"


def _first_layer() -> str:
    """The same in every image, so that the engine keeps it once. Nodes are fenced in by nft (guard.py)."""
    excludes = " ".join(f"'path-exclude={path}'" for path in _LEFT_OUT)
    return (
        f"RUN printf '%s\\n' {excludes} >/etc/dpkg/dpkg.cfg.d/paydrill"
        " && mkdir -p /etc/postgresql-common"
        " && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf"
        f" && {_INSTALL} python3 nftables && {_TIDY} && ln -s /usr/bin/python3 /usr/local/bin/python"
    )
