"""Rows, blocks and calls: what a catalog says nothing about."""

from __future__ import annotations

from typing import Final

from dflint.model.names import Name
from dflint.model.operations.base import Opaque, Operation
from dflint.model.operations.data import Call, Copy, Delete, DoBlock, Insert, Merge, Select, Truncate, Update
from dflint.model.operations.session import SessionCommand
from dflint.model.schema import Query
from dflint.planning.undo.before import Before, Irreversible, Nothing

#: PostgreSQL's functions that are called for their result alone; those that come most often.
_HARMLESS: Final = frozenset(
    """count sum min max avg bool_and bool_or every string_agg array_agg json_agg jsonb_agg json_object_agg
    jsonb_object_agg now version current_setting pg_sleep pg_size_pretty pg_relation_size pg_total_relation_size
    pg_table_size pg_indexes_size pg_get_serial_sequence pg_get_viewdef pg_get_constraintdef pg_get_indexdef
    pg_get_functiondef pg_is_in_recovery pg_backend_pid to_regclass to_regtype to_regproc has_table_privilege
    format concat concat_ws lower upper length coalesce round abs date_trunc date_part extract generate_series unnest
    row_number rank dense_rank lag lead first_value last_value random clock_timestamp statement_timestamp
    transaction_timestamp gen_random_uuid md5 quote_ident quote_literal array_length cardinality jsonb_array_elements
    jsonb_array_elements_text json_array_elements json_array_elements_text current_database current_schema set_config
    pg_advisory_xact_lock""".split()
)
_SEQUENCES: Final = frozenset({"setval", "nextval"})


def insert(_before: Before, operation: Insert | Merge) -> list[str]:
    """INSERT and MERGE."""
    raise Irreversible(f"which rows of {operation.target} came or changed is not kept")


def update(_before: Before, operation: Update) -> list[str]:
    """UPDATE."""
    raise Irreversible(f"the former values of the rows of {operation.target} are not kept")


def delete(_before: Before, operation: Delete | Truncate) -> list[str]:
    """DELETE and TRUNCATE."""
    raise Irreversible(f"the rows deleted from {operation.target} are not kept")


def copy(_before: Before, operation: Copy) -> list[str]:
    """COPY."""
    if operation.direction == "to":
        raise Nothing
    raise Irreversible(f"which rows came into {operation.target} is not kept")


def select(before: Before, operation: Select) -> list[str]:
    """SELECT: it may call what changes something."""
    query: Query = operation.query
    if query.writes:
        raise Irreversible(f"the former rows of {query.writes[0]} are not kept")
    for name in query.functions:
        _refuse_effects(before, name)
    raise Nothing


def _refuse_effects(before: Before, name: Name) -> None:
    place, overloads = before.routines(name)
    if overloads and all(each.volatility != "volatile" for each in overloads):
        return
    built_in = name.schema in (None, "pg_catalog") and not overloads
    if built_in and name.name in _HARMLESS:
        return
    if built_in and name.name in _SEQUENCES:
        raise Irreversible("the catalog does not say which number the sequence had reached")
    raise Irreversible(f"what function {place if overloads else name} changes is not known")


def call(_before: Before, operation: Call) -> list[str]:
    """CALL."""
    raise Irreversible(f"what procedure {operation.target} changes is not known")


def do_block(_before: Before, operation: DoBlock) -> list[str]:
    """DO: its statements are operations of their own, where they could be read."""
    if not operation.understood:
        raise Irreversible("not all that the DO block does could be read")
    raise Nothing


def dynamic(_before: Before, _operation: Operation) -> list[str]:
    """EXECUTE of a text that is put together when it runs."""
    raise Irreversible("what dynamic SQL does is not known before it runs")


def opaque(_before: Before, operation: Opaque) -> list[str]:
    """What dflint could not turn into operations."""
    raise Irreversible(f"what it does is not known: {operation.reason}")


def session(_before: Before, operation: SessionCommand) -> list[str]:
    """SHOW, PREPARE, LISTEN and their kin; EXECUTE runs what was prepared."""
    if operation.command == "execute":
        raise Irreversible("what the prepared statement changed is not kept")
    raise Nothing
