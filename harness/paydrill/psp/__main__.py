"""The process: `python -m paydrill.psp --journal FILE …`. Ready when GET /healthz answers 200."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn

import uvloop

from paydrill.errors import UsageError
from paydrill.psp import options
from paydrill.psp.admission import Admission
from paydrill.psp.control_server import ControlServer
from paydrill.psp.desk import Desk
from paydrill.psp.endpoints import MAIN, Endpoint
from paydrill.psp.holds import Holds
from paydrill.psp.journal import Journal
from paydrill.psp.lines import OpenLine
from paydrill.psp.memory import Memory
from paydrill.psp.options import Options
from paydrill.psp.server import Api
from paydrill.psp.tally import Tally
from paydrill.psp.webhooks import Webhooks

EXIT_BROKEN = 70
_SHUTDOWN_S = 0.2
_LONGEST_END_S = 0.8


def main(argv: list[str]) -> int:
    try:
        return serve(options.read(argv), _announce)
    except UsageError as error:
        print(f"paydrill.psp: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"paydrill.psp: {error}", file=sys.stderr)
        return 4


def serve(asked: Options, announce: Callable[[Options, str], None]) -> int:
    """Until SIGTERM or SIGINT; `announce` is told the base URL. Raises UsageError, OSError."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(asked, announce))


def _announce(asked: Options, url: str) -> None:
    print(f"paydrill.psp: listening on {url}", flush=True)


def _broken(reason: str) -> NoReturn:
    """End at once: after a lost line nothing may be answered, not even by a request half way."""
    print(f"paydrill.psp: BROKEN: {reason}", file=sys.stderr, flush=True)
    os._exit(EXIT_BROKEN)


async def _serve(asked: Options, announce: Callable[[Options, str], None]) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    journal = Journal(asked.journal, _broken)
    memory = Memory(tally=Tally(remembers_orders=asked.profile.duplicates_s > 0))
    journal.rebuild(memory.apply)
    _check_same(memory.tally, asked)
    desk, webhooks = _assemble(journal, memory, asked)
    await _open(desk, asked)
    # What was rebuilt stays: a collector that walks it again and again stalls answers for 50 ms.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    desk.start()
    webhooks.take_up()
    background = [
        asyncio.create_task(_forever(desk.agenda.run, "the agenda")),
        asyncio.create_task(_forever(webhooks.run, "webhooks")),
    ]
    control = await ControlServer(desk, webhooks).listen(asked.control) if asked.control else None
    api = Api(desk, asked.api_key, _broken).server()
    listener = await asyncio.get_running_loop().create_server(api, asked.host, asked.port, backlog=1024)
    port = listener.sockets[0].getsockname()[1]
    announce(asked, f"http://{asked.host}:{port}")
    await stop.wait()
    # Whatever hangs now: every line is in the file already, and a supervisor waits for us.
    asyncio.get_running_loop().call_later(_LONGEST_END_S, os._exit, 0)
    listener.close()
    await api.shutdown(_SHUTDOWN_S)
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    if control is not None:
        control.close()
    journal.close()
    return 0


def _assemble(journal: Journal, memory: Memory, asked: Options) -> tuple[Desk, Webhooks]:
    desk = Desk(memory, journal, Admission(memory, asked.profile), Holds(), lambda events: ())
    main = Endpoint(MAIN, asked.webhook_url, asked.webhook_secret) if asked.webhook_url else None
    webhooks = Webhooks(main, memory.ledger, memory.tellings, desk.write)
    desk.tell_webhooks = webhooks.tell
    return desk, webhooks


async def _open(desk: Desk, asked: Options) -> None:
    line = OpenLine(
        t=time.monotonic_ns(),
        wall_ns=time.time_ns(),
        pid=os.getpid(),
        seed=asked.seed,
        profile=asked.profile.name,
        behaviour=asked.behaviours.as_json(),
        name=asked.name,
    )
    await desk.journal.durable(desk.write(line))


def _check_same(tally: Tally, asked: Options) -> None:
    """A journal goes on with the seed and the name that it began with: its ids and draws hang on them."""
    for what, was, is_ in (("seed", tally.seed, asked.seed), ("name", tally.name, asked.name)):
        if was is not None and was != is_:
            raise UsageError(
                f"{asked.journal} was written with {what} {was}, not {is_}; "
                f"give the same --{what} or another --journal"
            )


async def _forever(run: Callable[[], Awaitable[None]], what: str) -> None:
    """Webhooks that stop by themselves would look like a target that lost them."""
    try:
        await run()
    except asyncio.CancelledError:
        raise
    except Exception as error:
        _broken(f"{what} stopped: {error!r}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
