"""What Locust runs in the child: one user who paces all customers (see child.py).

Everything that has a rule of its own is elsewhere; this file ties it to Locust and to the harness.
"""

from __future__ import annotations

import gc
import os
import resource
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import gevent
import geventhttpclient
import locust
from locust import FastHttpUser, events, task

from paydrill.errors import UsageError
from paydrill.load import classes
from paydrill.load.arrivals import arrivals_of
from paydrill.load.customers import customers, operators
from paydrill.load.final_reads import FinalReader
from paydrill.load.history import History
from paydrill.load.intents import Intent, IntentMaker
from paydrill.load.messages import Channel, counters_to_json
from paydrill.load.operations import PspDoor, Shop, Wire, compile_requests
from paydrill.load.orders import Orders
from paydrill.load.pacer import GeventPace, Pacer
from paydrill.load.products import Shelves, read_products
from paydrill.load.session_wire import SessionWire, connection_pool
from paydrill.load.setup import LoadSetup
from paydrill.target import Outcome

TELL_EVERY_S = 0.25
LOOK_EVERY_S = 0.02
READERS = 24
SPARE_DESCRIPTORS = 64
FAILED = 70

hooks: Any = events  # Locust leaves their methods unannotated
channel = Channel(socket.socket(fileno=int(os.environ["PAYDRILL_LOAD_FD"])))


class OpenLoop(FastHttpUser):
    """`-u 1`: the one user is the pacer, customers are greenlets of it."""

    host = "http://unused"

    @task
    def pace(self) -> None:
        try:
            Child().run()
        except Exception as problem:
            die(problem)
        gevent.spawn(self.environment.runner.quit)


class Child:
    """The course of the child, as the harness tells it."""

    def run(self) -> None:
        inbox = channel.messages()
        setup = LoadSetup.from_json(next(inbox)["setup"])
        pacer, reader = build(setup)
        hooks.quit.add_listener(lambda exit_code: close(pacer))
        gc.collect()
        gc.freeze()
        try:
            channel.send("ready")
            spawn(self._tell, pacer)
            for message in inbox:
                match message["kind"]:
                    case "go":
                        spawn(self._load, pacer, message["t0_ns"])
                    case "final":
                        spawn(self._final, reader, message["timeout_s"])
                    case "stop":
                        return
        finally:
            close(pacer)

    def _load(self, pacer: Pacer, t0_ns: int) -> None:
        pacer.run(t0_ns)
        while not pacer.is_idle():
            gevent.sleep(LOOK_EVERY_S)
        channel.send("counters", counters=counters_to_json(pacer.counters()))
        channel.send("done")

    def _final(self, reader: FinalReader, timeout_s: float) -> None:
        found = reader.run(timeout_s)
        channel.send("final_done", asked=found.asked, definite=found.definite)

    def _tell(self, pacer: Pacer) -> None:
        while not pacer.history.closed:
            channel.send("counters", counters=counters_to_json(pacer.counters()))
            gevent.sleep(TELL_EVERY_S)


def build(setup: LoadSetup) -> tuple[Pacer, FinalReader]:
    """Everything that the load needs, before any time counts."""
    known = classes.known()
    # A customer who cancels while paying has two requests under way, a burst eight.
    widest = max(known[name].at_once for name in setup.plan.classes)
    connections = max(2, widest) * setup.plan.max_in_flight
    allow_descriptors(connections + SPARE_DESCRIPTORS)
    doors = [url for url in (setup.base_url, setup.psp_url) if url is not None]
    pool = connection_pool(doors, connections, setup.timeout_s, setup.ca_file)

    def wires(count: int) -> list[Wire]:
        return [SessionWire(setup.base_url, hooks.request, pool) for _ in range(count)]

    requests = compile_requests(setup.client)
    shelves = Shelves(read_products(setup.catalogue), setup.pricing)
    people = customers(setup.seed, secret=setup.caller_secret)
    arrivals = arrivals_of(setup.plan, setup.seed)
    maker = IntentMaker(setup.seed, setup.plan.mix, known, shelves, people, setup.series, arrivals.of_crowd)
    history = History(Path(setup.history), setup.edge, broken=die)
    history.start({"locust": locust.__version__, "geventhttpclient": geventhttpclient.__version__})
    shop = Shop(
        client=setup.client,
        requests=requests,
        history=history,
        orders=Orders(),
        pace=GeventPace(),
        timeout_s=setup.timeout_s,
        horizon_s=setup.horizon_s,
        maker=maker,
        operators=operators(setup.caller_secret),
        psp=None if setup.psp_url is None else PspDoor(setup.psp_url, setup.psp_edge),
    )
    pacer = Pacer(shop, wires(setup.plan.max_in_flight), arrivals.offsets, maker, known, tell_locust)
    return pacer, FinalReader(shop, wires(min(READERS, connections)))


def close(pacer: Pacer) -> None:
    """The last lines of the history; nothing in here lets another greenlet run."""
    pacer.stop()
    pacer.history.close(pacer.is_idle(), pacer.lag.lag())


def tell_locust(intent: Intent, outcome: Outcome | None) -> None:
    """Locust's own figures see each intent with its time since it was due; a drop has no time."""
    elapsed_ms = None if outcome is None else (GeventPace().now_ns() - intent.due_ns) / 1e6
    hooks.request.fire(
        request_type="INTENT",
        name=intent.cls,
        response_time=elapsed_ms,
        response_length=0,
        exception=None if outcome == "ok" else RuntimeError(outcome or "dropped"),
        context={},
    )


def allow_descriptors(needed: int) -> None:
    """Raise the soft limit of open files. Raises UsageError when the hard limit is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UsageError(f"max_in_flight needs {needed} open files, but `ulimit -Hn` is {hard}: raise it")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def spawn(deed: Callable[..., None], *arguments: Any) -> None:
    """A greenlet whose failure is the child's; the harness being gone is none."""

    def guarded() -> None:
        try:
            deed(*arguments)
        except (BrokenPipeError, ConnectionResetError):
            return
        except Exception as problem:
            die(problem)

    gevent.spawn(guarded)


def die(problem: Exception) -> NoReturn:
    """Tell why, and end at once: a load that goes on half broken would prove nothing."""
    traceback.print_exception(problem)
    sys.stderr.flush()
    try:
        channel.send("problem", detail=f"{type(problem).__name__}: {problem}")
    finally:
        os._exit(FAILED)
