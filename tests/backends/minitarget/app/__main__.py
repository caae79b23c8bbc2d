"""A tiny service with two roles, to try a backend with: it stores a word, or asks another node for it.

GET /health · GET /who · GET /word (through the database) · GET /ask (through the edge to its peers)
POST /hook (takes any event)
"""

from __future__ import annotations

import json
import os

import asyncpg
import uvicorn
from aiohttp import ClientSession, ClientTimeout
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

NAME = os.environ["NAME"]
HOST, PORT = os.environ["HOST"], int(os.environ["PORT"])
DATABASE = os.environ.get("DATABASE")
PEERS = os.environ.get("PEERS", "").split()


async def health(_: Request) -> JSONResponse:
    return JSONResponse({"ok": True})


async def who(_: Request) -> JSONResponse:
    return JSONResponse({"name": NAME, "pid": os.getpid(), "uid": os.getuid(), "env": sorted(os.environ)})


async def word(_: Request) -> JSONResponse:
    connection = await asyncpg.connect(DATABASE, timeout=2)
    try:
        return JSONResponse({"word": await connection.fetchval("SELECT text FROM word")})
    finally:
        await connection.close()


async def ask(_: Request) -> JSONResponse:
    answers = []
    async with ClientSession(timeout=ClientTimeout(total=2)) as session:
        for peer in PEERS:
            async with session.get(f"http://{peer}/word") as answer:
                answers.append(json.loads(await answer.text())["word"])
    return JSONResponse({"answers": answers})


async def hook(request: Request) -> JSONResponse:
    return JSONResponse({"bytes": len(await request.body())})


ROUTES = [Route("/health", health), Route("/who", who), Route("/word", word), Route("/ask", ask)]
ROUTES.append(Route("/hook", hook, methods=["POST"]))
uvicorn.run(Starlette(routes=ROUTES), host=HOST, port=PORT, log_level="warning")
