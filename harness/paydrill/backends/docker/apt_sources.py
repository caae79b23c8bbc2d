"""Where this machine gets Debian packages from, so that a base image is made from the same place."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

APT = Path("/etc/apt")
PASSED_ON = ("Acquire::Check-", "Acquire::http", "Acquire::https", "Acquire::Retries")


def sources_of(suite: str, apt: Path = APT) -> str:
    """The machine's own Debian sources for a suite, as deb822 stanzas; empty when it has none.

    Third parties' repositories are left out: their keys are not in the image.
    """
    stanzas: list[str] = []
    for path in sorted((apt / "sources.list.d").glob("*.sources")):
        stanzas += [s for s in _stanzas(path.read_text(encoding="utf-8")) if _fits(s, suite)]
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]:
        if path.is_file():
            stanzas += _from_lines(path.read_text(encoding="utf-8"), suite)
    return "\n".join(stanzas)


def options() -> list[str]:
    """apt's settings about fetching (proxy, retries, checks), as `Name "value";`."""
    if not shutil.which("apt-config"):
        return []
    done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, timeout=20, check=False)
    lines = (line.strip() for line in done.stdout.splitlines())
    return [line for line in lines if line.startswith(PASSED_ON) and not line.endswith('"";')]


def _stanzas(text: str) -> list[str]:
    """deb822 stanzas without their comments."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [stanza.strip() + "\n" for stanza in kept.split("\n\n") if stanza.strip()]


def _fields(stanza: str) -> dict[str, list[str]]:
    """Field name in lower case -> its words; a continuation line belongs to the field before it."""
    fields: dict[str, list[str]] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1].isspace():
            fields.setdefault(name, []).extend(line.split())
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.split()
    return fields


def _fits(stanza: str, suite: str) -> bool:
    fields = _fields(stanza)
    if fields.get("enabled") == ["no"] or "deb" not in fields.get("types", []):
        return False
    suites, components = fields.get("suites", []), fields.get("components", [])
    return _are_debians(suites, suite) and "main" in components


def _are_debians(suites: list[str], suite: str) -> bool:
    known = {suite, f"{suite}-updates", f"{suite}-security", f"{suite}/updates"}
    return bool(suites) and set(suites) <= known


def _from_lines(text: str, suite: str) -> list[str]:
    """One-line entries as stanzas."""
    stanzas = []
    for line in text.splitlines():
        words = line.split("#", 1)[0].split()
        if words[:1] != ["deb"]:
            continue
        bracketed, words = _without_options(words[1:])
        if len(words) < 3 or not _are_debians([words[1]], suite) or "main" not in words[2:]:
            continue
        signed = [o.partition("=")[2] for o in bracketed if o.startswith("signed-by=")]
        stanza = f"Types: deb\nURIs: {words[0]}\nSuites: {words[1]}\nComponents: {' '.join(words[2:])}\n"
        stanzas.append(stanza + "".join(f"Signed-By: {key}\n" for key in signed))
    return stanzas


def _without_options(words: list[str]) -> tuple[list[str], list[str]]:
    """(the options in brackets, the words after them)."""
    if not words or not words[0].startswith("["):
        return [], words
    end = next((i for i, word in enumerate(words) if word.endswith("]")), len(words) - 1)
    return " ".join(words[: end + 1]).strip("[] ").split(), words[end + 1 :]
