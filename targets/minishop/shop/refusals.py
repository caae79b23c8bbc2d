"""Answers that say no."""

from __future__ import annotations


class Refused(Exception):
    """`status` of HTTP, a stable `word` for programs and a `text` for people. Nothing was changed."""

    def __init__(self, status: int, word: str, text: str) -> None:
        self.status = status
        self.word = word
        self.text = text
        super().__init__(f"{word}: {text}")
