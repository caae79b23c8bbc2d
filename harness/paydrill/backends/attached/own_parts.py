"""The harness's own parts of an attached drill, as plain children: the PSP simulator and Toxiproxy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import paydrill
from paydrill.backends.attached.places import Places
from paydrill.backends.local.spawn import Order, execute
from paydrill.parts import Part
from paydrill.toxiproxy import server as toxiproxy_server


def start_psp(places: Places) -> subprocess.Popen[bytes]:
    setup, listen, folder = places.setup, places.psp(), places.psp_folder
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    webhook = places.webhook_url()
    argv = (
        *("-m", "paydrill.psp", "--host", listen.host, "--port", str(listen.port)),
        *("--journal", str(folder / "journal.jsonl"), "--control", str(places.control)),
        *("--seed", str(setup.seed), "--behaviour", json.dumps(dict(setup.psp_behaviour))),
        *("--api-key", setup.secrets.psp_api_key, "--webhook-secret", setup.secrets.webhook_secret),
        *(("--webhook-url", webhook) if webhook else ()),
    )
    env = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(Path(paydrill.__file__).parents[1]),
    }
    return execute(sys.executable, Order(argv, env, str(folder), str(places.log("psp")), None))


def start_toxiproxy(
    places: Places, program: Part, work: Path, *, enabled: bool = True
) -> subprocess.Popen[bytes]:
    """`work` gets its file of edges, which listen where `enabled`."""
    edges = {edge.name: (places.dial(edge), places.upstream(edge)) for edge in places.setup.topology.edges}
    config = work / "toxiproxy.json"
    config.write_bytes(toxiproxy_server.config(edges, enabled=enabled))
    api = places.toxiproxy()
    argv = toxiproxy_server.argv(str(program.path), api.host, api.port, str(config))
    env = {"PATH": os.defpath, "LOG_LEVEL": "error"}
    return execute(argv[0], Order(tuple(argv[1:]), env, "/", str(places.log("toxiproxy")), None))
