"""Unified diffs, applied strictly in memory: exact context, no fuzz, nothing outside one folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from paydrill.errors import UsageError

MAX_PATCH_BYTES = 1024 * 1024
_HUNK = re.compile(rb"@@ -(\d{1,7})(?:,(\d{1,7}))? \+(\d{1,7})(?:,(\d{1,7}))? @@")
_REFUSED = (
    (b"rename ", "renames are not accepted; delete the one file and add the other"),
    (b"copy ", "copies are not accepted; add the file"),
    (b"GIT binary patch", "binary changes are not accepted"),
    (b"Binary files ", "binary changes are not accepted"),
)
NOWHERE = "/dev/null"


@dataclass(frozen=True)
class Hunk:
    """`old` and `new` are whole lines, line ends included; `start` is the old file's line, from 1."""

    number: int
    start: int
    old: tuple[bytes, ...]
    new: tuple[bytes, ...]


@dataclass(frozen=True)
class FileChange:
    """`before` None: the file is added; `after` None: it is deleted. Paths are relative to the folder."""

    before: str | None
    after: str | None
    hunks: tuple[Hunk, ...]

    @property
    def path(self) -> str:
        return self.after or self.before or ""


def parse_patch(data: bytes, shown_as: str) -> tuple[FileChange, ...]:
    """The changes of a patch. Raises UsageError for what is no unified diff, or not accepted in one."""
    if len(data) > MAX_PATCH_BYTES:
        raise UsageError(f"{shown_as}: the patch is bigger than {MAX_PATCH_BYTES // 1024} kB")
    changes = _Parser(_lines(data), shown_as).changes()
    if not changes:
        raise UsageError(f"{shown_as}: not a patch: expected a unified diff with `--- a/…` and `+++ b/…`")
    return changes


def patched(folder: Path, changes: Sequence[FileChange], shown_as: str) -> Mapping[str, bytes | None]:
    """What each changed file holds afterwards, None for a deleted one. Nothing is written.

    Raises UsageError when a path leaves the folder or goes through a symbolic link, or when a hunk's
    lines are not there exactly; the message names file and hunk.
    """
    result: dict[str, bytes | None] = {}
    for change in changes:
        for name in {change.before, change.after} - {None}:
            check_inside(folder, str(name), shown_as)
        if change.path in result:
            raise UsageError(f"{shown_as}: {change.path} is changed twice")
        if change.before and change.after and change.before != change.after:
            raise UsageError(f"{shown_as}: {change.before} -> {change.after}: renames are not accepted")
        result[change.path] = _apply(folder, change, shown_as)
    return result


def check_inside(folder: Path, name: str, shown_as: str) -> None:
    """Raises UsageError unless `name` is a plain path below the folder, without symbolic links on its way."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or not pure.parts or ".." in pure.parts or "\\" in name or not name.isprintable():
        raise UsageError(
            f"{shown_as}: {name!r} leaves the target's folder; a mutant may change the target only"
        )
    at = folder
    for part in pure.parts:
        at = at / part
        if at.is_symlink():
            raise UsageError(f"{shown_as}: {name!r} goes through a symbolic link")


def _apply(folder: Path, change: FileChange, shown_as: str) -> bytes | None:
    path = folder / change.path
    if change.before is None:
        if path.exists():
            raise UsageError(f"{shown_as}: {change.path} is to be added, but is there already")
        return b"".join(line for hunk in change.hunks for line in hunk.new)
    if not path.is_file():
        raise UsageError(f"{shown_as}: {change.path} is to be changed, but there is no such file")
    lines = _applied(_lines(path.read_bytes()), change, shown_as)
    if change.after is None:
        if lines:
            raise UsageError(f"{shown_as}: {change.path} is to be deleted, but the patch leaves lines in it")
        return None
    return b"".join(lines)


def _applied(lines: list[bytes], change: FileChange, shown_as: str) -> list[bytes]:
    result: list[bytes] = []
    done = 0
    shift = 0
    for hunk in change.hunks:
        wanted = hunk.start - 1 + shift
        at = _find(lines, hunk.old, wanted, done)
        if at is None:
            why = f"its {len(hunk.old)} old lines are not in the file" if hunk.old else "it has no context"
            raise UsageError(
                f"{shown_as}: does not apply: {change.path}, hunk {hunk.number} (line {hunk.start}): {why}"
            )
        result += lines[done:at]
        result += hunk.new
        done = at + len(hunk.old)
        shift += at - wanted
    return result + lines[done:]


def _find(lines: list[bytes], old: tuple[bytes, ...], wanted: int, first: int) -> int | None:
    """Where `old` stands exactly: at the wanted line, else at the nearest; not before `first`."""
    last = len(lines) - len(old)
    if not old:  # added lines without context could stand anywhere: only an empty file is no guess
        return 0 if not lines else None
    for distance in range(max(wanted - first, last - wanted, 0) + 1):
        for at in (wanted - distance, wanted + distance):
            if first <= at <= last and tuple(lines[at : at + len(old)]) == old:
                return at
    return None


def _lines(data: bytes) -> list[bytes]:
    """Lines with their ends; only a line feed ends one."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


class _Parser:
    """Reads a patch line by line; lines before, between and after the files' parts are skipped."""

    def __init__(self, lines: Sequence[bytes], shown_as: str) -> None:
        self._lines = lines
        self._shown_as = shown_as
        self._at = 0

    def changes(self) -> tuple[FileChange, ...]:
        found: list[FileChange] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.startswith(b"--- ") and self._ahead(1).startswith(b"+++ "):
                found.append(self._file())
                continue
            self._refuse(line)
            self._at += 1
        return tuple(found)

    def _ahead(self, count: int) -> bytes:
        return self._lines[self._at + count] if self._at + count < len(self._lines) else b""

    def _wrong(self, what: str) -> UsageError:
        return UsageError(f"{self._shown_as}:{self._at + 1}: {what}")

    def _refuse(self, line: bytes) -> None:
        for start, why in _REFUSED:
            if line.startswith(start):
                raise self._wrong(why)
        if re.match(rb"(new file|deleted file|new|old) mode (?!100644\b|100755\b)", line):
            raise self._wrong("only regular files are accepted, no symbolic links")
        if line.startswith(b"@@"):
            raise self._wrong("a hunk without its `---` and `+++` lines")

    def _file(self) -> FileChange:
        before, after = _path(self._lines[self._at][4:]), _path(self._ahead(1)[4:])
        if before is None and after is None:
            raise self._wrong("neither of the two files is one")
        if before is None or after is None:
            name = after or before
            before, after = (
                (None, _stripped(name, b"b/")) if before is None else (_stripped(name, b"a/"), None)
            )
        elif before.startswith("a/") and after.startswith("b/"):
            before, after = before[2:], after[2:]
        self._at += 2
        hunks: list[Hunk] = []
        while self._ahead(0).startswith(b"@@"):
            hunks.append(self._hunk(len(hunks) + 1))
        if not hunks:
            raise self._wrong(f"{after or before}: no hunk follows")
        return FileChange(before, after, tuple(hunks))

    def _hunk(self, number: int) -> Hunk:
        match = _HUNK.match(self._ahead(0))
        if not match:
            raise self._wrong("not the head of a hunk, such as `@@ -10,4 +10,5 @@`")
        left_old, left_new = (int(match[n]) if match[n] is not None else 1 for n in (2, 4))
        self._at += 1
        old: list[bytes] = []
        new: list[bytes] = []
        while left_old > 0 or left_new > 0 or self._ahead(0).startswith(b"\\"):
            line = self._ahead(0)
            sign, text = line[:1], line[1:]
            if sign == b"\\":
                self._drop_line_end(old, new)
            elif sign in (b" ", b"-", b"+") or line in (b"\n", b"\r\n"):
                text = line if sign not in (b" ", b"-", b"+") else text
                if sign != b"+":
                    old.append(text)
                    left_old -= 1
                if sign != b"-":
                    new.append(text)
                    left_new -= 1
            else:
                raise self._wrong(f"hunk {number} ends too early")
            self._at += 1
        if left_old or left_new:
            raise self._wrong(f"hunk {number} has other numbers of lines than its head says")
        return Hunk(number, int(match[1]), tuple(old), tuple(new))

    def _drop_line_end(self, old: list[bytes], new: list[bytes]) -> None:
        """`\\ No newline at end of file` speaks of the line before it."""
        sign = self._lines[self._at - 1][:1]
        for lines, signs in ((old, (b"-", b" ")), (new, (b"+", b" "))):
            if lines and sign in signs:
                lines[-1] = lines[-1].rstrip(b"\r\n")


def _path(raw: bytes) -> str | None:
    """The path of a `---` or `+++` line, without a time stamp; None for /dev/null."""
    text = raw.rstrip(b"\r\n").split(b"\t")[0].decode("utf-8", "backslashreplace").strip()
    return None if text == NOWHERE else text


def _stripped(name: str | None, prefix: bytes) -> str:
    return (name or "").removeprefix(prefix.decode())
