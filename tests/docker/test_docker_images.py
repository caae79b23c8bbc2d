"""Images from nothing: base, libraries, build; and nothing to do the second time."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.errors import ImageNotFound

from paydrill.backends.docker import base_image, engine, images
from paydrill.errors import EnvironmentNotReady
from paydrill.parts import toxiproxy
from paydrill.target import Client, Health, Service, Target, Timing

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def fresh_base(with_engine: None) -> Iterator[str]:
    """A base that is made here and now, under a name of its own."""
    name = f"paydrill/base:test-{uuid.uuid4().hex[:8]}"
    patch = pytest.MonkeyPatch()
    patch.setattr(base_image, "own_reference", lambda: name)
    try:
        assert base_image.build_base(print) == name
        patch.setenv("PAYDRILL_BASE_IMAGE", name)
        yield name
    finally:
        patch.undo()
        remove(name)


def remove(reference: str) -> None:
    try:
        engine.client().images.remove(reference, force=True)
    except ImageNotFound:
        return


def run(reference: str, *argv: str) -> str:
    labels = {"io.paydrill.test": "1"}
    said = engine.client().containers.run(
        reference, list(argv), remove=True, network_mode="none", labels=labels
    )
    return str(said.decode())


def small_target(folder: Path) -> Target:
    (folder / "requirements.txt").write_text("orjson\n")
    service = Service("web", "python", 80, Health())
    target = Target("small", "", folder, "x", {"web": service}, Client({}, ()), Timing())
    return Target(**{**vars(target), "requirements": "requirements.txt"})


def test_base_and_images_are_built_from_nothing(fresh_base: str, tmp_path: Path) -> None:
    assert "bookworm" in run(fresh_base, "cat", "/etc/os-release")
    lines: list[str] = []
    target = small_target(tmp_path)
    assert images.find(target) is None
    found = images.obtain(target, lines.append)
    try:
        assert (
            run(found.target, "python", "-c", "import orjson; print(orjson.dumps([1]).decode())") == "[1]\n"
        )
        assert toxiproxy.VERSION in run(found.harness, "toxiproxy-server", "-version")
        assert run(found.harness, "python3", "-c", "import aiohttp, uvloop, orjson; print('ok')") == "ok\n"
        assert any(line.startswith("building") for line in lines), "progress is told"
        began = time.monotonic()
        assert images.obtain(target, lines.append) == found == images.find(target)
        assert time.monotonic() - began < 5, "an unchanged image is found, not built"
    finally:
        remove(found.target)
        remove(found.harness)


def test_a_build_that_fails_says_what_the_builder_said(with_engine: None) -> None:
    broken = "FROM paydrill/no-such-image:0\n"
    with pytest.raises(EnvironmentNotReady, match="no-such-image"):
        images._send(images._context(broken, Path("/nonexistent"), {}), "paydrill/broken:test", print)


def test_a_base_that_is_asked_for_and_not_there_is_said(
    with_engine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYDRILL_BASE_IMAGE", "paydrill/no-such-base:0")
    with pytest.raises(EnvironmentNotReady, match="PAYDRILL_BASE_IMAGE=paydrill/no-such-base:0"):
        base_image.obtain(print)
