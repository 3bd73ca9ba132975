"""The parts of a statement as SQL text, printed from PostgreSQL's own tree by libpg_query.

For those who write other statements that say the same: where an operation keeps only what judging needs of an
expression, the text here is all of it. Loading what prints trees costs a fifth of a second; nothing that lints does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

_X: Final = "ALTER TABLE x "


class Clauses(Struct, frozen=True, kw_only=True):
    """Texts of the parts of one clause of a statement; "" for what is not there.

    Attributes:
        constraint: what stands after a constraint's name, NOT VALID left out.
        expression: of a CHECK, a DEFAULT, a generated column, or USING of a change of type.
        type: of a column that is added, or the new one.
        collation: of the column, with its schema.
        column: all of a column's definition after its name, DEFAULT and NOT NULL left out.
        index: all that stands after ``ON table`` in CREATE INDEX.
        where: the condition of UPDATE and DELETE, and of a partial index.
        assignments: of an UPDATE, as ``a = 1, b = 2``.
        lower, upper, values: of a partition's bound, with commas between them.
    """

    constraint: str = ""
    expression: str = ""
    type: str = ""
    collation: str = ""
    column: str = ""
    index: str = ""
    where: str = ""
    assignments: str = ""
    lower: str = ""
    upper: str = ""
    values: str = ""


def clauses_of(sql: str, clause: int = -1) -> Clauses:
    """The parts of one statement.

    Args:
        sql: one statement that the grammar accepts.
        clause: number of the sub-command of ALTER TABLE, as operations have it.

    Raises:
        ValueError: the text is not one statement.
    """
    import postgast

    parsed = postgast.parse(sql)
    if len(parsed.stmts) != 1:
        raise ValueError("not one statement")
    statement = parsed.stmts[0].stmt
    kind = statement.WhichOneof("node")
    if kind == "alter_table_stmt":
        command = statement.alter_table_stmt.cmds[max(clause, 0)].alter_table_cmd
        return _of_command(command)
    if kind == "index_stmt":
        return Clauses(index=_index(statement.index_stmt), where=_expression(statement.index_stmt.where_clause))
    if kind == "update_stmt":
        return Clauses(
            where=_expression(statement.update_stmt.where_clause), assignments=_assignments(statement.update_stmt)
        )
    if kind == "delete_stmt":
        return Clauses(where=_expression(statement.delete_stmt.where_clause))
    return Clauses()


def with_clauses(sql: str, numbers: Sequence[int]) -> str:
    """An ALTER TABLE with some of its clauses.

    Args:
        sql: the statement.
        numbers: of the clauses, as operations have them, in the order in which they are to be written.
    """
    import postgast

    parsed = postgast.parse(sql)
    statement = parsed.stmts[0].stmt.alter_table_stmt
    kept = [statement.cmds[number] for number in numbers]
    copied = postgast.parse(sql)
    alter = copied.stmts[0].stmt.alter_table_stmt
    del alter.cmds[:]
    alter.cmds.extend(kept)
    return _text(copied)


def _of_command(command: Any) -> Clauses:
    definition = getattr(command, "def")
    held = definition.WhichOneof("node")
    if held == "constraint":
        constraint = definition.constraint
        return Clauses(constraint=_constraint(constraint), expression=_expression(constraint.raw_expr))
    if held == "column_def":
        return _column(definition.column_def, is_new=_name_of(command, "subtype") == "AT_AddColumn")
    if held == "partition_cmd":
        bound = definition.partition_cmd.bound
        return Clauses(
            lower=", ".join(map(_expression, bound.lowerdatums)),
            upper=", ".join(map(_expression, bound.upperdatums)),
            values=", ".join(map(_expression, bound.listdatums)),
        )
    return Clauses(expression=_expression(definition) if held else "")


def _column(column: Any, *, is_new: bool) -> Clauses:
    default = next(
        (each.constraint for each in column.constraints if _is(each, "CONSTR_DEFAULT", "CONSTR_GENERATED")), None
    )
    expression = column.raw_default if column.HasField("raw_default") else getattr(default, "raw_expr", None)
    rest = _command("AT_AddColumn")
    copied = rest.alter_table_stmt.cmds[0].alter_table_cmd
    copied_column = getattr(copied, "def").column_def
    copied_column.CopyFrom(column)
    copied_column.colname = "x"
    if is_new:
        kept = [each for each in column.constraints if not _is(each, "CONSTR_DEFAULT", "CONSTR_NOTNULL", "CONSTR_NULL")]
        del copied_column.constraints[:]
        copied_column.constraints.extend(kept)
        definition = _printed(rest).removeprefix(_X).removeprefix("ADD COLUMN x ")
    else:
        definition = ""
    return Clauses(
        type=_type(column.type_name),
        collation=_collation(column),
        expression="" if expression is None else _expression(expression),
        column=definition,
    )


def _is(node: Any, *kinds: str) -> bool:
    """Whether a constraint of a column is of one of these kinds."""
    return _name_of(node.constraint, "contype") in kinds


def _name_of(message: Any, field: str) -> str:
    """What the grammar calls the value of an enumerated field."""
    values = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    name: str = values[getattr(message, field)].name
    return name


def _constraint(constraint: Any) -> str:
    statement = _command("AT_AddConstraint")
    copied = getattr(statement.alter_table_stmt.cmds[0].alter_table_cmd, "def").constraint
    copied.CopyFrom(constraint)
    copied.conname = ""
    copied.skip_validation = False
    copied.initially_valid = True
    return _printed(statement).removeprefix(_X).removeprefix("ADD ")


def _index(index: Any) -> str:
    import postgast

    statement = postgast.parse("CREATE INDEX x ON x (x)")
    copied = statement.stmts[0].stmt.index_stmt
    copied.CopyFrom(index)
    copied.idxname = "x"
    copied.concurrent = copied.if_not_exists = copied.unique = False
    copied.relation.schemaname = copied.relation.catalogname = ""
    copied.relation.relname = "x"
    copied.relation.inh = True
    return _text(statement).removeprefix("CREATE INDEX x ON x ")


def _expression(node: Any) -> str:
    if node.WhichOneof("node") is None:
        return ""
    import postgast

    query = postgast.parse("SELECT 1")
    query.stmts[0].stmt.select_stmt.target_list[0].res_target.val.CopyFrom(node)
    return _text(query).removeprefix("SELECT ")


def _assignments(update: Any) -> str:
    import postgast

    query = postgast.parse("UPDATE x SET x = 1")
    copied = query.stmts[0].stmt.update_stmt
    del copied.target_list[:]
    copied.target_list.extend(update.target_list)
    return _text(query).removeprefix("UPDATE x SET ")


def _type(node: Any) -> str:
    if not node.names:
        return ""
    import postgast

    query = postgast.parse("SELECT CAST(1 AS x)")
    query.stmts[0].stmt.select_stmt.target_list[0].res_target.val.type_cast.type_name.CopyFrom(node)
    return _text(query).removeprefix("SELECT 1::")


def _collation(column: Any) -> str:
    from dflint.model.quoting import quote_identifier

    names = [each.string.sval for each in column.coll_clause.collname]
    return ".".join(map(quote_identifier, names))


def _command(subtype: str) -> Any:
    """A statement ``ALTER TABLE x …`` with room for one clause."""
    import postgast

    text = _X + ("ADD COLUMN x int" if subtype == "AT_AddColumn" else "ADD CHECK (true)")
    return postgast.parse(text).stmts[0].stmt


def _text(tree: Any) -> str:
    import postgast

    printed: str = postgast.deparse(tree)
    return printed


def _printed(statement: Any) -> str:
    import postgast

    whole = postgast.parse("SELECT 1")
    whole.stmts[0].stmt.CopyFrom(statement)
    return _text(whole)
