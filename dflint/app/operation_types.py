"""Operations by name: what a caller of the Python interface means, as a statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from dflint.app.impact import single_operation
from dflint.model.errors import InputError, nearest
from dflint.model.quoting import quote_identifier, quote_literal


class OperationType(Enum):
    """What may be assessed by its name."""

    ADD_NULLABLE_COLUMN = "add_nullable_column"
    ADD_NOT_NULL_COLUMN = "add_not_null_column"
    DROP_COLUMN = "drop_column"
    RENAME_COLUMN = "rename_column"
    CHANGE_COLUMN_TYPE = "change_column_type"
    SET_NOT_NULL = "set_not_null"
    DROP_NOT_NULL = "drop_not_null"
    RENAME_TABLE = "rename_table"
    DROP_TABLE = "drop_table"
    ADD_FOREIGN_KEY = "add_foreign_key"
    DROP_FOREIGN_KEY = "drop_foreign_key"
    ADD_CHECK = "add_check"
    ADD_UNIQUE = "add_unique"
    DROP_CONSTRAINT = "drop_constraint"
    ADD_INDEX = "add_index"
    DROP_INDEX = "drop_index"
    SET_SCHEMA = "set_schema"
    TRUNCATE = "truncate"

    @classmethod
    def parse(cls, given: OperationType | str) -> OperationType:
        """The type that a name means, as it is here, as the decision matrix writes it, or as other tools do.

        Raises:
            UnknownOperationType: none.
        """
        if isinstance(given, cls):
            return given
        words = str(getattr(given, "value", given)).strip().lower().replace("-", " ").replace("_", " ")
        folded = "_".join(words.split())
        found = _SPELLINGS.get(folded, folded)
        for each in cls:
            if each.value == found:
                return each
        known = [each.value for each in cls]
        raise UnknownOperationType(
            f"there is no type of operation {given!r}", remedy=nearest(folded, known) or f"known are {', '.join(known)}"
        )


class UnknownOperationType(InputError, ValueError):
    """A type of operation that does not exist."""


_SPELLINGS: Final = {
    "add_column": "add_nullable_column",
    "add_required_column": "add_not_null_column",
    "alter_column_type": "change_column_type",
    "modify_column_type": "change_column_type",
    "alter_type": "change_column_type",
    "modify_column": "change_column_type",
    "create_index": "add_index",
    "drop_fk": "drop_foreign_key",
    "add_fk": "add_foreign_key",
    "add_not_null": "set_not_null",
}

Details = Mapping[str, Any]
#: Other names of details.
_ALIASES: Final = {
    "column": "column_name",
    "type": "data_type",
    "new_type": "data_type",
    "new_data_type": "data_type",
    "target_type": "data_type",
    "default": "default_value",
    "new_column_name": "new_name",
    "new_table_name": "new_name",
    "referenced_table": "references_table",
    "target_table": "references_table",
    "referenced_column": "references_column",
    "constraint": "constraint_name",
    "index": "index_name",
    "schema": "new_schema",
}


def statement_for(
    operation_type: OperationType | str, table_name: str, column_name: str | None = None, details: Details | None = None
) -> str:
    """The statement that an operation means when nobody thinks of its harm.

    Args:
        operation_type: see `OperationType.parse`.
        table_name, column_name: in SQL spelling, as are all names; ``"Order Items"`` with its quotes.
        details: what the operation needs beside them: ``data_type``, ``default_value`` (a Python value, which becomes
            a literal), ``default_expression`` (SQL), ``new_name``, ``columns``, ``references_table``,
            ``references_column``, ``on_delete``, ``constraint_name``, ``index_name``, ``unique``, ``concurrently``,
            ``condition``, ``using``, ``new_schema``, ``cascade``.

    Raises:
        UnknownOperationType: there is no such operation.
        InputError: a detail is missing, or is not what it should be.
    """
    kind = OperationType.parse(operation_type)
    given = _Details(kind, table_name, column_name, details or {})
    statement = _STATEMENTS[kind](given)
    cascade = " CASCADE" if kind in _CASCADING and given.get("cascade") else ""
    given.refuse_rest()
    if single_operation(statement) is None:
        raise InputError(
            f"what {kind.value} was given cannot be read as SQL: {statement}",
            remedy='names are as in SQL: users, public.users, "Order Items"',
        )
    return statement + cascade


class _Details:
    """What was given, each by its one name; what nobody asked for is an error."""

    def __init__(self, kind: OperationType, table: str, column: str | None, details: Details) -> None:
        self.kind = kind
        self.table = _name(table, "table_name")
        self._given = {_ALIASES.get(name, name): value for name, value in details.items() if value is not None}
        if column is not None:
            self._given["column_name"] = column
        self._asked: set[str] = set()

    def get(self, name: str) -> Any:
        """A detail, None where it is not given."""
        self._asked.add(name)
        return self._given.get(name)

    def need(self, name: str) -> Any:
        """A detail that has to be given."""
        value = self.get(name)
        if value is None:
            raise InputError(f"{self.kind.value} needs {name}")
        return value

    def name(self, name: str) -> str:
        """A detail that is a name."""
        return _name(self.need(name), name)

    @property
    def column(self) -> str:
        """The column's name."""
        return self.name("column_name")

    def refuse_rest(self) -> None:
        """Complain of details that mean nothing for the operation."""
        rest = sorted(self._given.keys() - self._asked)
        if rest:
            raise InputError(
                f"{self.kind.value} has no use for {', '.join(rest)}",
                remedy=nearest(rest[0], self._asked) or f"it takes {', '.join(sorted(self._asked))}",
            )


def _name(given: Any, what: str) -> str:
    """A name in SQL spelling, checked to be one and nothing more."""
    if not isinstance(given, str) or not given.strip():
        raise InputError(f"{what} must be a name")
    text = given.strip()
    if single_operation(f"ALTER TABLE {text} RENAME TO x") is None or ";" in _outside_quotes(text):
        raise InputError(f"{what}: {given!r} is no name", remedy='names are as in SQL: users, "Order Items"')
    return text


def _outside_quotes(text: str) -> str:
    return "".join(text.split('"')[::2])


def literal(value: Any) -> str:
    """A Python value as an SQL literal.

    Raises:
        InputError: its type has none.
    """
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, float):
        return repr(value) if value == value and abs(value) != float("inf") else f"'{value}'"  # noqa: PLR0124  # NaN
    if isinstance(value, str):
        return quote_literal(value).strip()
    if hasattr(value, "isoformat"):
        return quote_literal(value.isoformat()).strip()
    raise InputError(f"a default of type {type(value).__name__} has no literal", remedy="give default_expression, SQL")


def _added(details: _Details, *, required: bool) -> str:
    text = f"ALTER TABLE {details.table} ADD COLUMN {details.column} {details.need('data_type')}"
    expression, value = details.get("default_expression"), details.get("default_value")
    if expression is not None:
        text += f" DEFAULT {expression}"
    elif value is not None:
        text += f" DEFAULT {literal(value)}"
    return f"{text} NOT NULL" if required else text


def _retyped(details: _Details) -> str:
    using = details.get("using")
    text = f"ALTER TABLE {details.table} ALTER COLUMN {details.column} TYPE {details.need('data_type')}"
    return text if using is None else f"{text} USING {using}"


def _foreign_key(details: _Details) -> str:
    name, column = details.get("constraint_name"), details.get("references_column")
    text = f"ALTER TABLE {details.table} ADD"
    if name is not None:
        text += f" CONSTRAINT {_name(name, 'constraint_name')}"
    text += f" FOREIGN KEY ({_columns(details)}) REFERENCES {details.name('references_table')}"
    if column is not None:
        text += f" ({_name(column, 'references_column')})"
    action = details.get("on_delete")
    return text if action is None else f"{text} ON DELETE {str(action).upper().replace('_', ' ')}"


def _columns(details: _Details) -> str:
    given = details.get("columns")
    if given is None:
        return details.column
    return ", ".join(_name(each, "columns") for each in ([given] if isinstance(given, str) else given))


def _index(details: _Details) -> str:
    name = details.get("index_name")
    words = ["CREATE", *(["UNIQUE"] if details.get("unique") else []), "INDEX"]
    words += ["CONCURRENTLY"] if details.get("concurrently") else []
    words += [] if name is None else [_name(name, "index_name")]
    return f"{' '.join(words)} ON {details.table} ({_columns(details)})"


def _dropped_index(details: _Details) -> str:
    words = "DROP INDEX CONCURRENTLY" if details.get("concurrently") else "DROP INDEX"
    return f"{words} {details.name('index_name')}"


def _constraint(details: _Details, what: str) -> str:
    name = details.get("constraint_name")
    named = "" if name is None else f" CONSTRAINT {_name(name, 'constraint_name')}"
    return f"ALTER TABLE {details.table} ADD{named} {what}"


def _altered(details: _Details, what: str) -> str:
    return f"ALTER TABLE {details.table} ALTER COLUMN {details.column} {what}"


_CASCADING: Final = frozenset(
    {
        OperationType.DROP_COLUMN,
        OperationType.DROP_TABLE,
        OperationType.DROP_FOREIGN_KEY,
        OperationType.DROP_CONSTRAINT,
        OperationType.DROP_INDEX,
        OperationType.TRUNCATE,
    }
)
_STATEMENTS: Final[dict[OperationType, Callable[[_Details], str]]] = {
    OperationType.ADD_NULLABLE_COLUMN: lambda given: _added(given, required=False),
    OperationType.ADD_NOT_NULL_COLUMN: lambda given: _added(given, required=True),
    OperationType.DROP_COLUMN: lambda given: f"ALTER TABLE {given.table} DROP COLUMN {given.column}",
    OperationType.RENAME_COLUMN: lambda given: (
        f"ALTER TABLE {given.table} RENAME COLUMN {given.column} TO {given.name('new_name')}"
    ),
    OperationType.CHANGE_COLUMN_TYPE: _retyped,
    OperationType.SET_NOT_NULL: lambda given: _altered(given, "SET NOT NULL"),
    OperationType.DROP_NOT_NULL: lambda given: _altered(given, "DROP NOT NULL"),
    OperationType.RENAME_TABLE: lambda given: f"ALTER TABLE {given.table} RENAME TO {given.name('new_name')}",
    OperationType.DROP_TABLE: lambda given: f"DROP TABLE {given.table}",
    OperationType.ADD_FOREIGN_KEY: _foreign_key,
    OperationType.DROP_FOREIGN_KEY: lambda given: (
        f"ALTER TABLE {given.table} DROP CONSTRAINT {given.name('constraint_name')}"
    ),
    OperationType.ADD_CHECK: lambda given: _constraint(given, f"CHECK ({given.need('condition')})"),
    OperationType.ADD_UNIQUE: lambda given: _constraint(given, f"UNIQUE ({_columns(given)})"),
    OperationType.DROP_CONSTRAINT: lambda given: (
        f"ALTER TABLE {given.table} DROP CONSTRAINT {given.name('constraint_name')}"
    ),
    OperationType.ADD_INDEX: _index,
    OperationType.DROP_INDEX: _dropped_index,
    OperationType.SET_SCHEMA: lambda given: (
        f"ALTER TABLE {given.table} SET SCHEMA {quote_identifier(given.need('new_schema'))}"
    ),
    OperationType.TRUNCATE: lambda given: f"TRUNCATE {given.table}",
}
