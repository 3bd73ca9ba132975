"""PostgreSQL servers and sessions: found, started, connected to, and gone again."""

from dflint.model.errors import ServerError

try:
    import psycopg  # noqa: F401 - tried before any module needs it
except ImportError as error:
    raise ServerError(
        f"psycopg cannot be used: {str(error).splitlines()[0]}",
        remedy="pip install 'psycopg[binary]', or install libpq",
    ) from error

from dflint.postgres.connection import connect, printable
from dflint.postgres.server import Server, start_server

__all__ = ["Server", "connect", "printable", "start_server"]
