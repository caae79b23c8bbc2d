"""A file that is followed gives each whole line once."""

from __future__ import annotations

import pytest

from paydrill.growing_file import GrowingFile


def test_it_begins_where_it_is_told_to(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"old\nnew\n")
    assert list(GrowingFile(path, 4).new_lines()) == [b"new"]


def test_a_line_without_its_end_is_given_when_it_is_whole(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntw")
    file = GrowingFile(path)
    assert list(file.new_lines()) == [b"one"]
    with path.open("ab") as more:
        more.write(b"o\n")
    assert list(file.new_lines()) == [b"two"]
    assert list(file.new_lines()) == []


def test_what_is_beyond_enough_is_left_for_the_next_time(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthree\n")
    file = GrowingFile(path)
    assert list(file.new_lines(5)) == [b"one", b"two"]
    assert list(file.new_lines(5)) == [b"three"]


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(GrowingFile(tmp_path / "log").new_lines())
