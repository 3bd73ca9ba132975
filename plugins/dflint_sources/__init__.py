"""The migration runners that dflint knows. Importing this module loads none of them."""

from __future__ import annotations

from collections.abc import Mapping

from dflint.plugin.hookspecs import hookimpl

#: The order in which they are asked. A mark inside the migrations outweighs a lock file beside them, which outweighs
#: a dependency named in a project file; psql claims nothing and is what remains.
_MODULES = (
    "supabase",
    "prisma",
    "drizzle",
    "sqitch",
    "liquibase",
    "goose",
    "dbmate",
    "sql_migrate",
    "tern",
    "flyway",
    "diesel",
    "golang_migrate",
    "atlas",
    "sqlx",
    "psql",
)


@hookimpl
def dflint_sources() -> Mapping[str, str]:
    """Runner name -> reference to its source."""
    return {module.replace("_", "-"): f"dflint_sources.{module}:SOURCE" for module in _MODULES}
