"""What one source gives to the evidence: rows of a table, and the `reading` that vouches for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from paydrill.evidence.schema import Row
from paydrill.evidence.typed_rows import TypedRows


@dataclass(frozen=True)
class Reading:
    """One act of reading. `error` says why it is not complete. Times: monotonic nanoseconds."""

    table: str
    source: str
    snap: int
    t_from_ns: int
    t_to_ns: int
    complete: bool
    error: str | None = None


@dataclass(frozen=True)
class Part:
    """Rows of one reading of one table."""

    rows: TypedRows
    reading: Reading

    def folded(self) -> tuple[list[Row], Row]:
        """The rows in order of their key, and the row for the table `reading`."""
        rows = self.rows.sorted_unique()
        problems = [text for text in (self.reading.error, self.rows.trouble) if text]
        return rows, {
            "tbl": self.reading.table,
            "source": self.reading.source,
            "snap": self.reading.snap,
            "t_from_ns": self.reading.t_from_ns,
            "t_to_ns": self.reading.t_to_ns,
            "rows": len(rows),
            "complete": self.reading.complete and not problems,
            "version": self.rows.table.version,
            "error": "; ".join(problems) or None,
        }


@dataclass(frozen=True)
class IntentIndex:
    """Whose an object of the target is: by the cart's id, else by the order's id in an answer."""

    by_client_ref: Mapping[str, int]
    by_order_ref: Mapping[str, int]

    @classmethod
    def of(cls, intents: Iterable[Row], ops: Iterable[Row]) -> IntentIndex:
        """Of rows of `intent` and `op`, in order of their keys: the first one wins."""
        by_client_ref: dict[str, int] = {}
        by_order_ref: dict[str, int] = {}
        for row in intents:
            if isinstance(row["client_ref"], str) and isinstance(row["intent"], int):
                by_client_ref.setdefault(row["client_ref"], row["intent"])
        for row in ops:
            if isinstance(row["order_ref"], str) and isinstance(row["intent"], int):
                by_order_ref.setdefault(row["order_ref"], row["intent"])
        return cls(by_client_ref, by_order_ref)

    def resolve(self, client_ref: object, order_ref: object) -> int | None:
        if isinstance(client_ref, str) and client_ref in self.by_client_ref:
            return self.by_client_ref[client_ref]
        return self.by_order_ref.get(order_ref) if isinstance(order_ref, str) else None
