"""Which statements are the migration's, and which are the driver's, the runner's, or only steer transactions."""

from __future__ import annotations

from collections.abc import Sequence

from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.data import Select
from dflint.model.operations.session import (
    Begin,
    Commit,
    FinishPrepared,
    PrepareTransaction,
    ReleaseSavepoint,
    ResetVariable,
    Rollback,
    RollbackToSavepoint,
    Savepoint,
    SessionCommand,
    SetTransaction,
    SetVariable,
)
from dflint.model.schema import Query
from dflint.model.trace import Role

CONTROL = (
    Begin,
    Commit,
    Rollback,
    Savepoint,
    ReleaseSavepoint,
    RollbackToSavepoint,
    PrepareTransaction,
    FinishPrepared,
    SetTransaction,
)

#: Tables in which runners write down what ran. Their names are fixed or the default.
_BOOKKEEPING = frozenset(
    """django_migrations alembic_version schema_migrations schema_info ar_internal_metadata flyway_schema_history
    schema_version databasechangelog databasechangeloglock knex_migrations knex_migrations_lock _prisma_migrations
    __drizzle_migrations goose_db_version atlas_schema_revisions _sqlx_migrations __diesel_schema_migrations
    SequelizeMeta sequelizemeta typeorm_metadata pgmigrations gorp_migrations supabase_migrations
    refinery_schema_history mikro_orm_migrations kysely_migration kysely_migration_lock doctrine_migration_versions
    __EFMigrationsHistory""".split()
)

#: Settings that change how a client and the server talk, and not what statements do.
_CLIENT_SETTINGS = frozenset(
    """client_encoding client_min_messages datestyle intervalstyle extra_float_digits bytea_output application_name
    standard_conforming_strings jit geqo""".split()
)

_SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema"})

#: Functions without a schema that only ask, or that runners use to keep others of their kind away.
_ASKING = frozenset(
    """version current_schema current_schemas current_database current_setting set_config format_type to_regclass
    to_regtype obj_description col_description shobj_description txid_current inet_server_addr now has_table_privilege
    has_schema_privilege has_database_privilege quote_ident array_agg array_to_string array_remove unnest coalesce
    count max min row_number generate_subscripts generate_series string_agg json_agg jsonb_agg lower upper
    array_position""".split()
)
_ASKING_PREFIXES = ("pg_get_", "pg_table_", "pg_type_", "pg_advisory_", "pg_try_advisory_", "pg_backend_", "pg_is_")


def role_of(operations: Sequence[Operation]) -> Role:
    """What a statement is for, by what it does."""
    if not operations:
        return "noise"
    if all(isinstance(operation, CONTROL) for operation in operations):
        return "control"
    if all(_is_noise(operation) for operation in operations):
        return "noise"
    if all(_is_bookkeeping(operation.target) for operation in operations):
        return "bookkeeping"
    return "migration"


def _is_noise(operation: Operation) -> bool:
    if isinstance(operation, SessionCommand):
        return True
    if isinstance(operation, SetVariable | ResetVariable):
        return operation.name in _CLIENT_SETTINGS
    if operation.kind == "discard":
        return True
    return isinstance(operation, Select) and _only_asks(operation.query)


def _only_asks(query: Query) -> bool:
    """Whether a query reads only system catalogs and the runner's own tables."""
    if query.writes or not all(_is_system(name) or _is_bookkeeping(name) for name in query.reads):
        return False
    return all(_is_asking(name) for name in query.functions)


def _is_system(name: Name) -> bool:
    if name.schema is not None:
        return name.schema in _SYSTEM_SCHEMAS
    return name.name.startswith("pg_")


def _is_asking(name: Name) -> bool:
    if name.schema is not None and name.schema != "pg_catalog":
        return False
    return name.name in _ASKING or name.name.startswith(_ASKING_PREFIXES)


def _is_bookkeeping(name: Name | None) -> bool:
    return name is not None and (name.name in _BOOKKEEPING or (name.schema or "") in _BOOKKEEPING)
