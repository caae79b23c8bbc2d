"""`paydrill doctor`'s mending commands are enough on a bare Debian: afterwards the local backend runs a drill."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.drill, pytest.mark.exhaustive, pytest.mark.timeout(1500)]

REPOSITORY = Path(__file__).resolve().parents[2]
# What a machine behind a proxy of its own needs to reach its package sources.
OF_THE_HOST = ("etc/resolv.conf", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt", "etc/apt/apt.conf.d")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
BEGIN = """
set -e
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
python3 -m venv .venv
.venv/bin/pip install -q -e .
"""


class BareRoot:
    """A Debian of nothing but apt and Python, entered by chroot."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, script: str) -> subprocess.CompletedProcess:
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
        env |= dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), CERTIFICATES)
        command = ["chroot", self.folder, "sh", "-c", f"cd /root/paydrill\n{script}"]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=900)


@pytest.fixture
def bare(tmp_path):
    if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        pytest.skip("needs root and mmdebstrap")
    folder = tmp_path / "root"
    include = "--include=python3,ca-certificates"
    subprocess.run(
        ["mmdebstrap", "-q", "--variant=apt", include, "bookworm", folder], check=True, timeout=600
    )
    for name in OF_THE_HOST:
        copy_of_the_host(Path("/") / name, folder / name)
    (folder / "root/paydrill").mkdir()
    archive = subprocess.run(
        ["git", "archive", "HEAD"], cwd=REPOSITORY, capture_output=True, check=True
    ).stdout
    subprocess.run(["tar", "-x", "-C", folder / "root/paydrill"], input=archive, check=True)
    mounts = [
        (["mount", "-t", "proc", "proc"], folder / "proc"),
        (["mount", "--rbind", "/dev"], folder / "dev"),
    ]
    for command, place in mounts:
        subprocess.run([*command, place], check=True)
    try:
        yield BareRoot(folder)
    finally:
        for _, place in mounts:
            subprocess.run(["umount", "-l", place], check=False)


def copy_of_the_host(source: Path, copy: Path) -> None:
    """What the host does not have is not needed."""
    if source.is_dir():
        shutil.copytree(source, copy, dirs_exist_ok=True)
    elif source.exists():
        copy.unlink(missing_ok=True)
        shutil.copy(source, copy)


def test_the_mending_commands_make_the_local_backend_run(bare):
    begun = bare.run(BEGIN)
    assert begun.returncode == 0, begun.stderr
    before = bare.run(".venv/bin/paydrill doctor --json")
    missing = [one for one in json.loads(before.stdout)["checks"] if not one["ok"] and one["need"] == "local"]
    assert missing and all(one["install"] for one in missing)
    for one in missing:
        mended = bare.run(one["install"])
        assert mended.returncode == 0, f"{shlex.quote(one['install'])}: {mended.stderr[-800:]}"
    after = json.loads(bare.run(".venv/bin/paydrill doctor --json").stdout)
    assert after["backends"]["local"], after
    ran = bare.run(".venv/bin/paydrill run psp-response-lost --backend local --seed 1 --json")
    verdict = json.loads(ran.stdout)
    assert verdict["verdict"] == "pass" or {r["code"] for r in verdict["reasons"]} == {"host_unfit"}, verdict[
        "reasons"
    ]
