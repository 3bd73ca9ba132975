"""What the bodies of a catalog's functions and procedures do, read when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from dflint.facts.type_names import spell
from dflint.model.catalog import Routine
from dflint.model.dependencies import named_relations
from dflint.model.migration import Section, Span
from dflint.model.names import Name
from dflint.model.operations.objects import CreateRoutine
from dflint.model.quoting import quote_identifier
from dflint.model.schema import Parameter
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser


class Bodies:
    """The relations that bodies name, each body read once."""

    def __init__(self) -> None:
        self._parser: Parser | None = None
        self._named: dict[Routine, Sequence[Name]] = {}

    def named(self, routine: Routine) -> Sequence[Name]:
        """The relations that a routine's body names, as written there and as far as it can be read."""
        found = self._named.get(routine)
        if found is None:
            if self._parser is None:
                self._parser = Parser(load_library())
            definition = created(routine, self._parser)
            found = self._named[routine] = () if definition is None else named_relations(definition.references)
        return found


def created(routine: Routine, parser: Parser) -> CreateRoutine | None:
    """The statement that creates a routine, parsed; None where its body is not known as text."""
    text = _definition(routine)
    return None if text is None else _parsed(text, parser)


@lru_cache(maxsize=256)
def _parsed(text: str, parser: Parser) -> CreateRoutine | None:
    content = text.encode()
    statements = parser.parse(content, [Section("up", Span(0, len(content)), wire="string")])[0]
    operations = (operation for statement in statements for operation in statement.operations)
    return next((operation for operation in operations if isinstance(operation, CreateRoutine)), None)


def _definition(routine: Routine) -> str | None:
    """CREATE … of the routine; None where its body is not known as text."""
    if routine.body is None:
        return None
    parameters = ", ".join(_parameter(each) for each in routine.parameters if each.mode != "table")
    returns = ""
    columns = [each for each in routine.parameters if each.mode == "table"]
    if columns:
        returns = f" RETURNS TABLE ({', '.join(_parameter(each) for each in columns)})"
    elif routine.returns is not None:
        returns = f" RETURNS {'SETOF ' if routine.returns.setof else ''}{spell(routine.returns)}"
    kind = "PROCEDURE" if routine.kind == "procedure" else "FUNCTION"
    body = routine.body.replace("'", "''").replace("\\", "\\\\")
    name = quote_identifier(routine.name.name)
    return f"CREATE {kind} {name}({parameters}){returns} LANGUAGE {routine.language} AS E'{body}'"


def _parameter(parameter: Parameter) -> str:
    mode = {"in": "", "variadic": "VARIADIC ", "inout": "INOUT ", "out": "OUT "}.get(parameter.mode, "")
    name = quote_identifier(parameter.name) + " " if parameter.name else ""
    return f"{mode}{name}{spell(parameter.type)}"
