"""Variables of a PL/pgSQL body that have one value from the beginning to the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from dflint.sql.build.nodes import Node

#: Types whose values are the strings that they are given as.
_PLAIN_TYPES: Final = frozenset({"text", "varchar", "int4", "int8", "int2", "name"})
#: What writes a variable -> the field with its number.
_WRITTEN: Final = {
    "PLpgSQL_stmt_assign": "varno",
    "PLpgSQL_stmt_foreach_a": "varno",
    "PLpgSQL_diag_item": "target",
    "fields": "varno",
}


def constants(function: Node, value: Callable[[Node], str | None], given: Mapping[str, str]) -> dict[str, str]:
    """The variables of a function that are declared with a constant, or given, and never written, with their values.

    Args:
        function: an unwrapped ``PLpgSQL_function``.
        given: values of parameters.
        value: gives the value of an unwrapped ``PLpgSQL_expr`` that is constant.
    """
    datums = function.get("datums", [])
    variables = {number: datum["PLpgSQL_var"] for number, datum in enumerate(datums) if "PLpgSQL_var" in datum}
    named = Counter(variable["refname"] for variable in variables.values())
    written = set(written_in([function["action"], *datums]))
    found: dict[str, str] = {}
    for number, variable in variables.items():
        name = variable["refname"]
        if number in written or named[name] > 1:
            continue
        if name in given:
            found[name] = given[name]
        kind = variable.get("datatype", {}).get("PLpgSQL_type", {}).get("typname")
        default = variable.get("default_val")
        if default is None or kind not in _PLAIN_TYPES:
            continue
        declared = value(default["PLpgSQL_expr"])
        if declared is not None:
            found[name] = declared
    return found


def written_in(tree: Any) -> Iterator[int]:
    """The numbers of the variables that anything writes; the number 0 is left out of the JSON."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            field = _WRITTEN.get(key)
            if field is not None:
                for writer in value if isinstance(value, list) else (value,):
                    number = writer.get(field, 0)
                    if isinstance(number, int):
                        yield number
            yield from written_in(value)
    elif isinstance(tree, list):
        for item in tree:
            yield from written_in(item)


def turns_differ(body: list[Node]) -> bool:
    """Whether it helps to follow a loop turn by turn: it runs strings, and nothing in it leaves it early."""
    text = msgspec.json.encode(body)
    leaves = b'"PLpgSQL_stmt_exit"' in text or b'"PLpgSQL_stmt_return"' in text
    return b'"PLpgSQL_stmt_dynexecute"' in text and not leaves
