"""`python -m shop`: the shop as one process, set up by its environment.

LISTEN_HOST, LISTEN_PORT   where it listens                       127.0.0.1, 8200
DATA_DIR                   where its database is                  the working folder
PSP_URL, PSP_API_KEY       where it calls its PSP, and by what key
PSP_CALL_S                 limit of one call to the PSP, seconds  1.0
SETTLE_PERIOD_S            between two passes of the settler      1.0
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from waitress.server import create_server

from shop.api import make_app
from shop.psp import Psp
from shop.settler import Settler
from shop.store import Store

# A request that waits for the PSP holds its thread for PSP_CALL_S.
THREADS = 64
CONNECTIONS = 1000


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    call_s = float(os.environ.get("PSP_CALL_S", "1.0"))
    store = Store(Path(os.environ.get("DATA_DIR", "."), "shop.sqlite3"))
    # The settler calls too.
    psp = Psp(os.environ["PSP_URL"], os.environ["PSP_API_KEY"], call_s, callers=THREADS + 1)
    settler = Settler(store, psp, float(os.environ.get("SETTLE_PERIOD_S", "1.0")), call_s)
    server = create_server(
        make_app(store, psp),
        host=os.environ.get("LISTEN_HOST", "127.0.0.1"),
        port=int(os.environ.get("LISTEN_PORT", "8200")),
        threads=THREADS,
        connection_limit=CONNECTIONS,
        asyncore_use_poll=True,
        ident=None,
    )
    signal.signal(signal.SIGTERM, _end)
    settler.start()
    server.run()  # returns after SystemExit, with every request answered
    settler.stop()
    return 0


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
