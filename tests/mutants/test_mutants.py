"""Mutants: patches applied exactly, inside the target's folder only."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paydrill.errors import UsageError
from paydrill.mutants import apply_mutant, check_mutant, find_mutant, mutants_of
from paydrill.patching import parse_patch, patched

PAY = "".join(f"line {n}\n" for n in range(1, 21))
HEADER = "# name: M01\n# title: attempt in the key\n# breaks: I-01, I-02\n# scenario: psp-response-lost\n"
CHANGE = """\
--- a/services/pay.py
+++ b/services/pay.py
@@ -4,3 +4,4 @@
 line 4
-line 5
+line five
+line five and a half
 line 6
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "targets" / "shop"
    (folder / "services" / "__pycache__").mkdir(parents=True)
    (folder / "mutants").mkdir()
    (folder / "services" / "pay.py").write_text(PAY)
    (folder / "services" / "other.py").write_text("x = 1\n")
    (folder / "services" / "__pycache__" / "pay.pyc").write_text("stale")
    (folder / "mutants" / "M01-attempt-in-key.patch").write_text(HEADER + CHANGE)
    return folder


@pytest.fixture
def patch(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "my.patch"
        path.write_bytes(text.encode())
        return path

    return write


def test_the_header_tells_what_the_mutant_is(target):
    (mutant,) = mutants_of(target)
    assert (mutant.name, mutant.title) == ("M01", "attempt in the key")
    assert (mutant.breaks, mutant.scenarios) == (("I-01", "I-02"), ("psp-response-lost",))
    assert mutant.files == ("services/pay.py",)


def test_a_changed_copy_is_made_and_the_target_is_left_alone(target, tmp_path):
    copy = tmp_path / "copy"
    assert apply_mutant(target, target / "mutants" / "M01-attempt-in-key.patch", copy).name == "M01"
    assert "line five\nline five and a half\nline 6\n" in (copy / "services" / "pay.py").read_text()
    assert (copy / "services" / "other.py").read_text() == "x = 1\n"
    assert not (copy / "services" / "__pycache__").exists() and not (copy / "mutants").exists()
    assert (target / "services" / "pay.py").read_text() == PAY


@pytest.mark.parametrize("word", ["M01", "m01", "M01-attempt-in-key"])
def test_a_mutant_is_found_by_number_or_name(target, word):
    assert find_mutant(target, word).name == "M01"


def test_a_mutant_is_any_patch_file(target, patch):
    assert find_mutant(target, str(patch(CHANGE))).name == "my"


def test_an_unknown_mutant_suggests_one(target):
    with pytest.raises(UsageError, match=r"no mutant 'M10' \(did you mean M01\?\)"):
        find_mutant(target, "M10")


def test_lines_that_have_moved_are_found(target, patch):
    (target / "services" / "pay.py").write_text("new\n" * 7 + PAY)
    copy = target.parent / "copy"
    apply_mutant(target, patch(CHANGE), copy)
    assert (copy / "services" / "pay.py").read_text() == "new\n" * 7 + PAY.replace(
        "line 5\n", "line five\nline five and a half\n"
    )


def test_files_can_be_added_and_deleted(target, patch):
    text = (
        "diff --git a/services/other.py b/services/other.py\ndeleted file mode 100644\n"
        "--- a/services/other.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x = 1\n"
        "--- /dev/null\n+++ b/services/deep/new.py\n@@ -0,0 +1,2 @@\n+y = 2\n+z = 3\n\\ No newline at end of file\n"
    )
    copy = target.parent / "copy"
    apply_mutant(target, patch(text), copy)
    assert not (copy / "services" / "other.py").exists()
    assert (copy / "services" / "deep" / "new.py").read_text() == "y = 2\nz = 3"


def test_paths_from_the_top_of_the_repository_are_understood(target, patch):
    copy = target.parent / "copy"
    apply_mutant(target, patch(CHANGE.replace("/services", "/targets/shop/services")), copy)
    assert "line five\n" in (copy / "services" / "pay.py").read_text()


def changing(path: str) -> str:
    return CHANGE.replace("services/pay.py", path)


def adding(path: str) -> str:
    return f"--- /dev/null\n+++ {path}\n@@ -0,0 +1 @@\n+x\n"


REFUSED = {
    "climbs out": (changing("../../etc/passwd"), "leaves the target's folder"),
    "climbs out on its way": (changing("services/../../x.py"), "leaves the target's folder"),
    "is absolute": (CHANGE.replace("a/services/pay.py", "/etc/passwd").replace("b/services/pay.py", "/etc/passwd"), "leaves the target's folder"),
    "adds outside": (adding("b/../evil.py"), "leaves the target's folder"),
    "adds absolutely": (adding("/tmp/evil.py"), "leaves the target's folder"),
    "goes through a link": (changing("linked/pay.py"), "goes through a symbolic link"),
    "changes a link": (changing("link.py"), "goes through a symbolic link"),
    "makes a link": ("new file mode 120000\n" + adding("b/l.py"), "no symbolic links"),
    "renames": ("rename from a\nrename to b\n" + CHANGE, "renames are not accepted"),
    "renames by its paths": (CHANGE.replace("b/services/pay.py", "b/services/pa.py"), "renames are not accepted"),
    "is binary": ("GIT binary patch\nliteral 3\n", "binary changes are not accepted"),
    "has other context": (CHANGE.replace(" line 4", " line four"), r"services/pay\.py, hunk 1 \(line 4\): its 3 old lines are not in the file"),
    "has other white space": (CHANGE.replace(" line 4", "  line 4"), "does not apply"),
    "fails in its second hunk": (CHANGE + "@@ -10,1 +11,1 @@\n-no such line\n+x\n", r"hunk 2 \(line 10\)"),
    "changes what is not there": (changing("services/nothing.py"), "there is no such file"),
    "adds what is there": (adding("b/services/pay.py"), "is there already"),
    "has no context": ("--- a/services/pay.py\n+++ b/services/pay.py\n@@ -3,0 +4 @@\n+x\n", "it has no context"),
    "is cut off": (CHANGE.removesuffix(" line 6\n"), "hunk 1 ends too early"),
    "is no patch": ("hello\n", "not a patch"),
    "is empty": ("", "not a patch"),
    "has an odd name": ("# name: ../x\n" + CHANGE, "is not a name for a mutant"),
    "changes a file twice": (CHANGE + CHANGE, "is changed twice"),
    "leaves lines of a deleted file": ("--- a/services/pay.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-line 1\n", "leaves lines in it"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=list(REFUSED))
def test_a_patch_is_refused_before_anything_is_written_when_it(target, patch, tmp_path, text, message):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "pay.py").write_text(PAY)
    (target / "linked").symlink_to(tmp_path / "elsewhere")
    (target / "link.py").symlink_to(tmp_path / "elsewhere" / "pay.py")
    copy = tmp_path / "copy"
    with pytest.raises(UsageError, match=message) as caught:
        apply_mutant(target, patch(text), copy)
    assert caught.value.exit_code == 2
    assert not copy.exists()
    with pytest.raises(UsageError, match=message):
        check_mutant(target, patch(text))
    assert (tmp_path / "elsewhere" / "pay.py").read_text() == PAY


def test_a_missing_patch_file_is_wrong_usage(target):
    with pytest.raises(UsageError, match="no such patch file"):
        find_mutant(target, "nowhere/M77.patch")


lines = st.lists(st.sampled_from(["a", "b", "c", "d", "e", ""]), max_size=30)


@given(old=lines, new=lines, ends=st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_git_diff_writes_is_applied_as_git_would(tmp_path_factory, old, new, ends):
    folder = tmp_path_factory.mktemp("d")
    one, other = ("\n".join(text) + ("\n" if ends and text else "") for text in (old, new))
    (folder / "old").write_text(one)
    (folder / "new").write_text(other)
    diff = subprocess.run(
        ["git", "diff", "--no-index", "--src-prefix=a/", "--dst-prefix=b/", "old", "new"],
        cwd=folder, capture_output=True, check=False,
    ).stdout  # fmt: skip
    if one == other:
        assert diff == b""
        return
    if not one or not other:  # git then speaks of adding or deleting
        return
    diff = diff.replace(b"b/new", b"b/old")
    assert patched(folder, parse_patch(diff, "p"), "p") == {"old": other.encode()}


@given(st.binary(max_size=400))
def test_any_bytes_are_a_patch_or_wrong_usage(data):
    try:
        parse_patch(b"--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n" + data, "p")
    except UsageError:
        pass
