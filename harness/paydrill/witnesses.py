"""The looks at faults in force, each in a thread of its own, so that none holds up the next step."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from paydrill.errors import PaydrillError
from paydrill.faults import InForce, Witness
from paydrill.plan import PlannedFault
from paydrill.run_folder import LineLog

MOST_AT_ONCE = 8


class Witnesses:
    """A context manager: leaving it waits for the last look. What was seen goes to the timeline."""

    def __init__(self, timeline: LineLog) -> None:
        self._timeline = timeline
        self._pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="witness")
        self._looking: list[tuple[PlannedFault, Future[Witness]]] = []

    def __enter__(self) -> Witnesses:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def look(self, planned: PlannedFault, in_force: InForce) -> None:
        """Begin to look; returns at once."""
        self._looking.append((planned, self._pool.submit(in_force.witness)))

    def note_what_was_seen(self) -> None:
        """Write down the looks that have ended."""
        for planned, future in [pair for pair in self._looking if pair[1].done()]:
            self._note(planned, future)

    def await_look(self, fault_id: int) -> None:
        """A witness looks while the fault is in force: its healing waits for the look to end."""
        for planned, future in [pair for pair in self._looking if pair[0].id == fault_id]:
            self._note(planned, future)

    def _note(self, planned: PlannedFault, future: Future[Witness]) -> None:
        self._looking.remove((planned, future))
        try:
            seen = future.result()
        except (PaydrillError, OSError) as problem:
            seen = Witness("path", False, f"the witness could not look: {problem}", {})
        self._timeline.write(
            "witness",
            id=planned.id,
            witness=seen.kind,
            witnessed=seen.witnessed,
            detail=seen.detail,
            measured=dict(seen.measured),
        )
