"""The harness's side of the load: starts the Locust child, tells it what to do, and sees it end.

Locust lives in a process of its own, since importing it patches half the standard library. Both
talk over a socket pair; the child ends when that closes, and is killed when its parent dies.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from paydrill.backends import Address
from paydrill.errors import InstrumentDied
from paydrill.faults import Arrivals
from paydrill.load.counters import LoadCounters
from paydrill.load.final_reads import FinalReads
from paydrill.load.messages import Channel, counters_from_json
from paydrill.load.setup import LoadSetup
from paydrill.plan import PlannedLoad
from paydrill.target import Client, Pricing, Timing

HERE = Path(__file__).parent
HORIZON_BEYOND_TIMEOUT_S = 2.0
GRACE_S = 0.4
LOG_TAIL = 600
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")


class LoadChild:
    """A context manager: entering starts the child, leaving ends it within a second whatever it does.

    plan, client, catalogue, timing, seed: what to do; base: where the target is entered
    history_dir: gets `history-0.jsonl`; log: what Locust says
    edge: the name that answers get in the history, such as `client->lb-1`
    caller_secret: signs the callers' bearer tokens (callers.py)
    pricing: how the target says that it prices
    psp, psp_edge: where the customers' browsers reach the PSP, and the name of that edge
    ca_file: certificates to check the target's with; given, `base` is spoken to over TLS
    series: put into the names of carts and keys, where the target knows those of earlier drills

    Making it raises UsageError when the target cannot be loaded like this. Nothing has started then.
    Start it from a thread that lives as long as it: the kernel kills it with its starting thread.
    Raises InstrumentDied("locust", …) from every method but `alive`, `counters`, `arrivals`
    and `stop` when the child is gone and nobody asked for it.
    """

    def __init__(
        self,
        plan: PlannedLoad,
        client: Client,
        catalogue: Sequence[Mapping[str, object]],
        timing: Timing,
        seed: int,
        base: Address,
        history_dir: Path,
        log: Path,
        edge: str | None = None,
        caller_secret: str = "",
        pricing: Pricing | None = None,
        psp: Address | None = None,
        psp_edge: str | None = None,
        ca_file: Path | None = None,
        series: str = "",
    ) -> None:
        self._setup = LoadSetup(
            plan=plan,
            client=client,
            catalogue=tuple(catalogue),
            timeout_s=timing.client_s,
            horizon_s=timing.client_s + HORIZON_BEYOND_TIMEOUT_S,
            seed=seed,
            base_url=f"{'https' if ca_file else 'http'}://{base}",
            history=str(history_dir.absolute() / "history-0.jsonl"),
            edge=edge,
            caller_secret=caller_secret,
            pricing=pricing or Pricing(),
            psp_url=None if psp is None else f"http://{psp}",
            psp_edge=psp_edge,
            ca_file=str(ca_file.absolute()) if ca_file else None,
            series=series,
        )
        self._setup.check()
        self._log = log
        self._news = threading.Condition()
        self._ready = self._done = self._gone = False
        self._final: FinalReads | None = None
        self._problem = ""
        self._counters = LoadCounters()

    def __enter__(self) -> LoadChild:
        self._home = tempfile.TemporaryDirectory(prefix="paydrill-load-")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._process = self._start(theirs)
        except BaseException:
            ours.close()
            self._home.cleanup()
            raise
        finally:
            theirs.close()
        self._channel = Channel(ours)
        self._listener = threading.Thread(target=self._listen, name="load-listener", daemon=True)
        self._listener.start()
        self._tell("setup", setup=self._setup.to_json())
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self.stop()
        finally:
            self._channel.close()
            self._listener.join()
            self._home.cleanup()

    @property
    def counters(self) -> LoadCounters:
        """The latest known, at most 0.3 s old while the load runs."""
        return self._counters

    def arrivals(self) -> Arrivals:
        """Those of the plan so far and those that have begun, as the latest counters tell."""
        latest = self._counters
        return Arrivals(latest.at_ns / 1e9, latest.due, latest.started, latest.begun)

    @property
    def pid(self) -> int:
        """The child's process id, which is its session's too."""
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self, timeout_s: float) -> None:
        """Return when the child could begin. Raises InstrumentDied, also when it takes too long."""
        if not self._await(lambda: self._ready, timeout_s):
            raise InstrumentDied("locust", f"was not ready after {timeout_s:g} s; {self._said()}")

    def go(self, t0_ns: int) -> None:
        """The load begins at `t0_ns` on the monotonic clock; 0.1 s ahead is enough."""
        self._tell("go", t0_ns=t0_ns)

    def wait_done(self, timeout_s: float) -> bool:
        """Wait until all arrivals have come and every intent has ended; False when time is over."""
        return self._await(lambda: self._done, timeout_s)

    def final_reads(self, timeout_s: float) -> FinalReads:
        """Read every order that a client ever learned of, each until its answer is definite.

        Raises InstrumentDied also when the child does not report back after its time.
        """
        self._final = None
        self._tell("final", timeout_s=timeout_s)
        if not self._await(lambda: self._final is not None, timeout_s + self._setup.timeout_s):
            raise InstrumentDied("locust", f"never reported its final reads; {self._said()}")
        assert self._final is not None
        return self._final

    def stop(self) -> None:
        """End the child, now: what is under way is unknown for ever. Idempotent; at most 1 s."""
        if self.alive():
            try:
                self._channel.send("stop")
            except OSError:
                pass  # it is going already
            for number in (0, signal.SIGTERM, signal.SIGKILL):
                if number:
                    self._signal(number)
                if self._ended_within(GRACE_S):
                    break
        self._process.wait()

    def _start(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        home = Path(self._home.name)
        empty = home / "empty.conf"
        empty.touch()
        with self._log.open("ab") as log:
            return subprocess.Popen(
                _command(empty),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=home,
                env=_environment(home, theirs.fileno()),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def _listen(self) -> None:
        for message in self._channel.messages():
            with self._news:
                self._hear(message)
                self._news.notify_all()
        with self._news:
            self._gone = True
            self._news.notify_all()

    def _hear(self, message: dict[str, Any]) -> None:
        match message["kind"]:
            case "ready":
                self._ready = True
            case "counters":
                self._counters = counters_from_json(message["counters"])
            case "done":
                self._done = True
            case "final_done":
                self._final = FinalReads(message["asked"], message["definite"])
            case "problem":
                self._problem = message["detail"]

    def _await(self, happened: Callable[[], bool], timeout_s: float) -> bool:
        with self._news:
            self._news.wait_for(lambda: happened() or self._gone, timeout_s)
            if not happened() and self._gone:
                self._raise_gone()
            return happened()

    def _tell(self, kind: str, **fields: Any) -> None:
        try:
            self._channel.send(kind, **fields)
        except OSError:
            self._raise_gone()

    def _raise_gone(self) -> None:
        raise InstrumentDied("locust", f"the load generator is gone; {self._said()}")

    def _said(self) -> str:
        """What is known of its end, for an error message."""
        if self._problem:
            return self._problem
        self._ended_within(GRACE_S)
        code = self._process.returncode
        how = "it still runs" if code is None else f"it ended with {code}"
        tail = self._log.read_bytes()[-LOG_TAIL:].decode(errors="replace").strip()
        return f"{how}; its log {self._log} ends with: {tail or '(nothing)'}"

    def _ended_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # the session is empty


def _command(empty_config: Path) -> list[str]:
    """Locust reads `~/.locust.conf` and `./locust.conf` too: its home and working folder are ours."""
    wrapper = [sys.executable, "-I", "-S", str(HERE / "die_with_parent.py")]
    locust = [sys.executable, "-m", "locust", "-f", str(HERE / "locustfile.py")]
    options = ["--config", str(empty_config), "--headless", "-u", "1", "-r", "1", "--only-summary"]
    return [*wrapper, *locust, *options, "--exit-code-on-error", "0", "--loglevel", "WARNING"]


def _environment(home: Path, descriptor: int) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    ours = {
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONUNBUFFERED": "1",
        "PAYDRILL_LOAD_FD": str(descriptor),
    }
    return {**passed_on, **ours}
