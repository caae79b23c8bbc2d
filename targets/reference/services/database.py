"""PostgreSQL as the services see it: short transactions, bounded waits, no trust in a connection that failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = asyncpg.Connection
Row: TypeAlias = asyncpg.Record

WAIT_S = 2.0
"""The longest wait for a free connection, for connecting and for one statement."""

CLIENT_TROUBLE = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises for a connection that broke while it was in use."""

SERVER_SETTINGS = {
    "statement_timeout": "2000",
    "lock_timeout": "1500",
    # A paused or vanished process must not keep rows locked.
    "idle_in_transaction_session_timeout": "3000",
}


class DatabaseUnavailable(Exception):
    """The database did not do it, or did not say whether it did: the outcome is unknown."""


async def _keep(connection: Connection) -> None:
    """Sessions have no state that needs a reset between uses, so the round trip is saved."""


class Database:
    """A pool of connections to the primary; it opens them when they are needed."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, size: int = 10) -> AsyncIterator[Database]:
        """Does not need the database to be there yet."""
        pool = await asyncpg.create_pool(
            url,
            min_size=0,
            max_size=size,
            timeout=WAIT_S,
            command_timeout=WAIT_S + 0.5,
            max_inactive_connection_lifetime=60.0,
            ssl=False,
            server_settings=SERVER_SETTINGS,
            reset=_keep,
        )
        try:
            yield cls(pool)
        finally:
            pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """For single statements. Raises DatabaseUnavailable."""
        try:
            connection = await self._pool.acquire(timeout=WAIT_S)
        except (OSError, TimeoutError, asyncpg.PostgresError, *CLIENT_TROUBLE) as error:
            raise DatabaseUnavailable("no connection") from error
        try:
            yield connection
        except BaseException as error:
            if _spoils(error):
                # One that the server has closed is out of the pool already and refuses even this.
                with suppress(asyncpg.InterfaceError):
                    connection.terminate()
            if _is_trouble(error):
                raise DatabaseUnavailable(type(error).__name__) from error
            raise
        finally:
            await self._pool.release(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Commits at the end of the block, rolls back on any exception. Raises DatabaseUnavailable."""
        async with self.connection() as connection:
            work = connection.transaction()
            await work.start()
            try:
                yield connection
            except BaseException as error:
                if not _spoils(error):
                    await work.rollback()
                raise
            await work.commit()

    async def is_ready(self) -> bool:
        try:
            async with self.connection() as connection:
                return bool(await connection.fetchval("SELECT true"))
        except DatabaseUnavailable:
            return False


def _is_trouble(error: BaseException) -> bool:
    """Failures of the database or of the way to it, not of what was asked."""
    return isinstance(
        error,
        (
            OSError,
            TimeoutError,
            *CLIENT_TROUBLE,
            asyncpg.PostgresConnectionError,
            asyncpg.OperatorInterventionError,
            asyncpg.InsufficientResourcesError,
            asyncpg.LockNotAvailableError,
            asyncpg.DeadlockDetectedError,
            asyncpg.IdleInTransactionSessionTimeoutError,
        ),
    )


def _spoils(error: BaseException) -> bool:
    """Whether the connection's state is unknown, so that it must not be used again."""
    harmless = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.QueryCanceledError)
    return isinstance(error, asyncio.CancelledError) or (
        _is_trouble(error) and not isinstance(error, harmless)
    )
