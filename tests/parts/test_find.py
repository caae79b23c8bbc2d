"""Where the real parts are looked for, and what is said when there is none."""

from __future__ import annotations

import pytest

from paydrill.errors import EnvironmentNotReady
from paydrill.parts import cache_folder, nginx, postgres, toxiproxy


def test_the_parts_of_this_machine_are_real_and_of_the_wanted_versions():
    assert toxiproxy.find().version == toxiproxy.VERSION
    assert int(postgres.find().version.split(".")[0]) >= postgres.LEAST_MAJOR
    assert nginx.find().version[0].isdigit()
    assert all(len(part.find().sha256) == 64 for part in (toxiproxy, postgres, nginx))


def test_a_chosen_toxiproxy_that_cannot_run_is_an_error_and_not_passed_over(monkeypatch, tmp_path):
    monkeypatch.setenv("PAYDRILL_TOXIPROXY", str(tmp_path / "none"))
    with pytest.raises(EnvironmentNotReady, match="PAYDRILL_TOXIPROXY"):
        toxiproxy.find()


def test_a_machine_without_toxiproxy_is_told_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PAYDRILL_CACHE", str(tmp_path))
    monkeypatch.delenv("PAYDRILL_TOXIPROXY", raising=False)
    with pytest.raises(EnvironmentNotReady, match="make setup"):
        toxiproxy.find()


def test_a_chosen_postgres_folder_without_its_tools_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("PAYDRILL_PG_BIN", str(tmp_path))
    with pytest.raises(EnvironmentNotReady, match="initdb"):
        postgres.find()


def test_an_unpinned_release_is_never_downloaded(monkeypatch):
    monkeypatch.setattr(toxiproxy, "RELEASE_SHA256", {})
    with pytest.raises(EnvironmentNotReady, match="no pinned checksum"):
        toxiproxy._download(toxiproxy._cached_program(), lambda text: None)


def test_the_cache_folder_is_the_chosen_one_else_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("PAYDRILL_CACHE", str(tmp_path / "a"))
    assert cache_folder() == tmp_path / "a"
    monkeypatch.delenv("PAYDRILL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert cache_folder() == tmp_path / "b" / "paydrill"
