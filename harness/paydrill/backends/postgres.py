"""What a PostgreSQL node is made of, the same for both backends (pure, but for reading the schema).

`initdb -U postgres --auth=trust`, then `bootstrap.sql` on database postgres, then `schema.sql` on the
service's database as its role. The role has the database's name, owns it and is no superuser; it may
come from anywhere (a proxy stands between), the superuser only from the node's own machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from paydrill.backends import Address
from paydrill.errors import UsageError
from paydrill.target import Service

SUPERUSER = "postgres"
DEFAULT_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "32MB",
    "unix_socket_directories": "",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def server_argv(listen: Address) -> tuple[str, ...]:
    """Addresses stand in argv, not in files, so that one template cluster serves every node."""
    return ("-c", f"listen_addresses={listen.host}", "-c", f"port={listen.port}")


def server_files(service: Service, settings: Mapping[str, str], source: Path) -> dict[str, str]:
    """`paydrill.conf` (append an include of it), `pg_hba.conf`, `bootstrap.sql`, `schema.sql`."""
    return {
        "paydrill.conf": _settings_text({**DEFAULT_SETTINGS, **settings}),
        "pg_hba.conf": _hba_text(service.database),
        "bootstrap.sql": _bootstrap_sql(service.database),
        "schema.sql": _schema_sql(service, source),
    }


def _settings_text(settings: Mapping[str, str]) -> str:
    quoted = {key: value.replace("'", "''") for key, value in settings.items()}
    return "".join(f"{key} = '{value}'\n" for key, value in sorted(quoted.items()))


def _hba_text(database: str) -> str:
    return (
        f'host all "{SUPERUSER}" samehost trust\n'
        f'host "{database}" "{database}" all trust\n'
        f'host replication "{SUPERUSER}" samehost trust\n'
    )


def _bootstrap_sql(database: str) -> str:
    name = '"' + database.replace('"', '""') + '"'
    return f"CREATE ROLE {name} LOGIN;\nCREATE DATABASE {name} OWNER {name};\n"


def _schema_sql(service: Service, source: Path) -> str:
    """All `*.sql` of the schema folder in name order, each announced by its name."""
    if service.schema is None:
        return ""
    folder = source / service.schema
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise UsageError(f"service {service.name}: schema folder {service.schema!r} has no .sql file")
    return "".join(f"-- {path.name}\n{path.read_text(encoding='utf-8')}\n" for path in files)
