"""Tables and columns as object-relational mappers name them: mapped classes, their attributes, and what uses those.

Known are SQLAlchemy (and what is built on it), Django and peewee, by the names that their documentation gives.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from dflint.analysis.code_use.strings import constant
from dflint.model.names import Name
from dflint.model.uses import UseCertainty

#: Attributes of a class, or of its Meta, that hold a table's name.
_TABLE_NAMES: Final = frozenset({"__tablename__", "db_table", "table_name"})
#: Calls that make an attribute of a mapped class a column.
_COLUMN_CALLS: Final = frozenset({"Column", "mapped_column"})
_NO_COLUMNS: Final = frozenset({"relationship", "ManyToManyField", "GenericRelation", "column_property", "synonym"})
#: Keyword arguments that name a column otherwise than its attribute.
_RENAMING: Final = ("name", "db_column", "column_name")
#: Endings of Django's lookups that stand behind a field.
_LOOKUP: Final = "__"
#: Functions whose first string is a table, and of some the second a column: SQLAlchemy's and Alembic's.
_TABLE_FIRST: Final = frozenset(
    "Table add_column drop_column alter_column create_table drop_table rename_table bulk_insert".split()
)
_TABLE_SECOND: Final = frozenset(
    "create_index drop_constraint create_unique_constraint create_check_constraint".split()
)
_COLUMN_SECOND: Final = frozenset({"drop_column", "alter_column"})


class Named(Struct, frozen=True):
    """A place that names a table, or a column of it.

    Attributes:
        table: its schema is None where the place does not say.
        column: None: the table itself.
    """

    node: ast.expr | ast.stmt | ast.keyword
    table: Name
    column: str | None
    certainty: UseCertainty


class _Model(Struct, frozen=True):
    table: Name
    #: Attribute -> column.
    columns: dict[str, str]


def named(tree: ast.Module, application: str | None) -> Iterator[Named]:
    """The places of a program that name tables and columns through a mapper.

    Args:
        application: Django's name of the application that the file belongs to; None where that is not known.
    """
    models: dict[str, _Model] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            found = list(_mapped(node, application))
            if found:
                columns = {name: each.column for name, each in found if each.column is not None}
                models[node.name] = _Model(found[0][1].table, columns)
                yield from (each for _, each in found)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _in_call(node)
            yield from _keywords(node, models)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            model = models.get(node.value.id)
            if model is not None and node.attr in model.columns:
                yield Named(node, model.table, model.columns[node.attr], "likely")


# --- mapped classes ---------------------------------------------------------------------------------------------------


def _mapped(node: ast.ClassDef, application: str | None) -> Iterator[tuple[str, Named]]:
    """The table of a mapped class, then its columns by the attributes' names."""
    table = _table(node, application)
    if table is None:
        return
    yield "", table
    # A table that is only guessed makes its columns no surer.
    for statement in node.body:
        name, value, annotated = _assigned(statement)
        if name is None or name.startswith("__"):
            continue
        column = _column(name, value, annotated)
        if column is not None:
            yield name, Named(_named_at(column, value) or statement, table.table, column, table.certainty)


def _table(node: ast.ClassDef, application: str | None) -> Named | None:
    schema = _schema(node)
    for statement in (*node.body, *_meta(node)):
        name, value, _ = _assigned(statement)
        written = constant(value)
        if name in _TABLE_NAMES and written is not None and value is not None:
            own, _, bare = written.replace('"', "").rpartition(".")
            return Named(value, Name(own or schema, bare), None, "certain")
    django = any(_last(base) == "Model" and isinstance(base, ast.Attribute) for base in node.bases)
    if django and application is not None:
        return Named(node, Name(None, f"{application}_{node.name.lower()}"), None, "likely")
    return None


def _meta(node: ast.ClassDef) -> list[ast.stmt]:
    return [
        each for inner in node.body if isinstance(inner, ast.ClassDef) and inner.name == "Meta" for each in inner.body
    ]


def _schema(node: ast.ClassDef) -> str | None:
    """The ``schema`` of SQLAlchemy's ``__table_args__``, and of peewee's Meta."""
    for statement in (*node.body, *_meta(node)):
        name, value, _ = _assigned(statement)
        if name == "schema":
            return constant(value)
        if name == "__table_args__":
            inside = value.elts if isinstance(value, ast.Tuple) else [value]
            for each in inside:
                for key, held in zip(each.keys, each.values, strict=True) if isinstance(each, ast.Dict) else ():
                    if constant(key) == "schema":
                        return constant(held)
    return None


def _assigned(statement: ast.stmt) -> tuple[str | None, ast.expr | None, ast.expr | None]:
    """Name, value and annotation of an assignment to one name."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, statement.value, None
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value, statement.annotation
    return None, None, None


def _column(name: str, value: ast.expr | None, annotation: ast.expr | None) -> str | None:
    """The column that an attribute of a mapped class is; None if it is none."""
    mapped = isinstance(annotation, ast.Subscript) and _last(annotation.value) == "Mapped"
    if not isinstance(value, ast.Call):
        return name if mapped else None
    call = _last(value.func)
    if call in _NO_COLUMNS:
        return None
    for keyword in value.keywords:
        if keyword.arg in _RENAMING and constant(keyword.value) is not None:
            return constant(keyword.value)
    if call in _COLUMN_CALLS:
        return (constant(value.args[0]) if value.args else None) or name
    if call in ("ForeignKey", "OneToOneField", "ForeignKeyField"):
        return f"{name}_id"
    return name if mapped or call.endswith("Field") else None


def _named_at(column: str, value: ast.expr | None) -> ast.expr | None:
    """The argument that names the column; None where the attribute's name does."""
    if not isinstance(value, ast.Call):
        return None
    given = (*value.args, *(keyword.value for keyword in value.keywords if keyword.arg in _RENAMING))
    return next((each for each in given if constant(each) == column), None)


# --- calls ------------------------------------------------------------------------------------------------------------


def _in_call(node: ast.Call) -> Iterator[Named]:
    """``Table("users", …)``, ``op.drop_column("users", "email")``, ``ForeignKey("users.id")``."""
    function = _last(node.func)
    schema = next((constant(each.value) for each in node.keywords if each.arg in ("schema", "source_schema")), None)
    at = 0 if function in _TABLE_FIRST else 1 if function in _TABLE_SECOND else None
    if function in ("ForeignKey", "ForeignKeyConstraint"):
        for argument in node.args:
            for each in argument.elts if isinstance(argument, ast.List | ast.Tuple) else [argument]:
                yield from _dotted(each)
    if at is None or len(node.args) <= at:
        return
    table = constant(node.args[at])
    if table is None:
        return
    name = Name(schema, table)
    yield Named(node.args[at], name, None, "certain")
    if function in _COLUMN_SECOND and len(node.args) > 1 and constant(node.args[1]) is not None:
        yield Named(node.args[1], name, constant(node.args[1]), "certain")
    if function in ("Table", "create_table"):
        for argument in node.args[at + 1 :]:
            inner = argument.args[0] if isinstance(argument, ast.Call) and argument.args else None
            if isinstance(argument, ast.Call) and _last(argument.func) == "Column" and constant(inner) and inner:
                yield Named(inner, name, constant(inner), "certain")


def _dotted(node: ast.expr) -> Iterator[Named]:
    parts = (constant(node) or "").split(".")
    if len(parts) in (2, 3) and all(parts):
        table = Name(parts[-3] if len(parts) > 2 else None, parts[-2])
        yield Named(node, table, None, "certain")
        yield Named(node, table, parts[-1], "certain")


def _keywords(node: ast.Call, models: dict[str, _Model]) -> Iterator[Named]:
    """``User(email=…)``, ``User.objects.filter(email__startswith=…)``."""
    root: ast.expr = node.func
    while isinstance(root, ast.Attribute | ast.Call):
        root = root.value if isinstance(root, ast.Attribute) else root.func
    model = models.get(root.id) if isinstance(root, ast.Name) else None
    if model is None:
        return
    for keyword in node.keywords:
        attribute = (keyword.arg or "").partition(_LOOKUP)[0]
        if attribute in model.columns:
            yield Named(keyword, model.table, model.columns[attribute], "likely")


def _last(node: ast.expr) -> str:
    """The last part of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
