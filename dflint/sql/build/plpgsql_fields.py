"""The fields of every statement in libpg_query's JSON of PL/pgSQL: which hold something to read, and how."""

from __future__ import annotations

from typing import Final

#: One kind of statement a line, with its fields and the roles of those that hold something to read, in the order in
#: which they run. All have a ``lineno``.
_TEXT: Final = """
block label body exceptions
assign varno expr=expression
if cond=expression then_body elsif_list else_body
case t_expr=expression t_varno case_when_list=branches have_else else_stmts=body
loop label body=body
while label cond=expression body=body
fori label var lower=expression upper=expression step=expression reverse body
fors label var query=sql body=body
forc label var curvar argquery=expression body=body
foreach_a label varno slice expr=expression body
dynfors label var params=expressions query=dynamic body=body
exit is_exit label cond=expression
return expr=expression
return_next expr=expression
return_query query=sql params=expressions dynquery=dynamic
raise elog_level condname message params=expressions options=expressions
assert cond=expression message=expression
execsql sqlstmt=sql into strict target
dynexecute params=expressions query=dynamic into strict target
getdiag is_stacked diag_items
open curvar cursor_options argquery=expression query=sql params=expressions dynquery=dynamic
fetch target curvar direction how_many expr=expression is_move returns_multiple_rows
close curvar
perform expr=sql
call expr=sql is_call target
commit chain
rollback chain
"""


def _read(text: str) -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for line in text.strip().splitlines():
        kind, *words = line.split()
        parts = [word.partition("=") for word in words]
        table[f"PLpgSQL_stmt_{kind}"] = {"lineno": "", **{key: role for key, _, role in parts}}
    return table


#: Statement -> field -> role: "" for nothing to read, expression, expressions (a list), sql (a statement), dynamic (the
#: string of an EXECUTE), body (statements that may run), branches.
FIELDS: Final = _read(_TEXT)

#: Members of ``branches`` -> fields.
BRANCHES: Final = {
    "PLpgSQL_if_elsif": frozenset({"lineno", "cond", "stmts"}),
    "PLpgSQL_case_when": frozenset({"lineno", "expr", "stmts"}),
}

#: Other nodes within statements that the reader opens -> fields.
PARTS: Final = {
    "PLpgSQL_expr": frozenset({"query", "parseMode"}),
    "PLpgSQL_exception_block": frozenset({"exc_list"}),
    "PLpgSQL_exception": frozenset({"conditions", "action"}),
    "PLpgSQL_raise_option": frozenset({"opt_type", "expr"}),
}
