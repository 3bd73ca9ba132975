"""Random queries over small tables whose columns share their names, so that most names could mean several things."""

from __future__ import annotations

from hypothesis import strategies as st

TABLES = """
CREATE SCHEMA other;
CREATE TABLE a (id int, x int, y int, b int);
CREATE TABLE b (id int, x int, z int);
CREATE TABLE c (id int, y int, z int, a int);
CREATE TABLE other.a (id int, x int, w int);
INSERT INTO a VALUES (1, 1, 1, 1);
INSERT INTO b VALUES (1, 1, 1);
INSERT INTO c VALUES (1, 1, 1, 1);
INSERT INTO other.a VALUES (1, 1, 1);
"""
COLUMNS = ("id", "id", "id", "x", "x", "y", "z", "w", "a", "b")
_RELATIONS = ("a", "b", "c", "other.a", "public.b")
_ALIASES = ("", "", "b", "t", "s", "t (id, x)")
#: The names that an expression may use before a dot.
Visible = tuple[str, ...]


@st.composite
def expressions(draw: st.DrawFn, depth: int, visible: Visible) -> str:
    """An integer expression."""
    kind = draw(st.integers(0, 10 if depth > 0 else 7))
    column = draw(st.sampled_from(COLUMNS))
    if kind <= 1:
        return column
    if kind <= 5:
        return f"{draw(st.sampled_from(visible))}.{column}"
    if kind == 6:
        return draw(st.sampled_from(("1", "length('a.x')", "2 /* b.z */", "length($$ x $$)")))
    if kind == 7:
        return f"coalesce({visible[0]}.id, {draw(st.sampled_from(visible))}.{column})"
    if kind == 8:
        text, own = draw(items(depth - 1, visible))
        return f"(SELECT max({draw(expressions(0, own))}) FROM {text} WHERE {draw(expressions(0, own + visible))} > 0)"
    if kind == 9:
        return f"CASE WHEN EXISTS ({draw(queries(depth - 1, visible))}) THEN {draw(expressions(0, visible))} ELSE 0 END"
    return f"{draw(expressions(depth - 1, visible))}::int"


@st.composite
def items(draw: st.DrawFn, depth: int, outer: Visible = (), used: Visible = ()) -> tuple[str, Visible]:
    """An item of FROM, and the names that it is visible by."""
    kind = draw(st.integers(0, 8 if depth > 0 else 3))
    if kind <= 4:
        relation = draw(st.sampled_from(_RELATIONS))
        alias = draw(st.sampled_from(_ALIASES))
        if (alias.partition(" ")[0] or relation.rpartition(".")[2]) in used:
            alias = f"u{len(used)}"
        return f"{relation} {alias}".strip(), (alias.partition(" ")[0] or relation.rpartition(".")[2],)
    if kind == 5:
        lateral, seen = draw(st.sampled_from((("", outer), ("LATERAL ", outer + used))))
        alias = f"q{len(used)}"
        return f"{lateral}({draw(queries(depth - 1, seen))}) {alias}{draw(st.sampled_from(('', ' (x)')))}", (alias,)
    left, names = draw(items(depth - 1, outer, used))
    right, more = draw(items(depth - 1, outer, used + names))
    both = names + more
    if kind == 6:
        condition = f"ON {draw(expressions(0, both))} = {draw(expressions(0, both))}"
        return f"{left} JOIN {right} {condition}", both
    if kind == 7:
        return f"{left} LEFT JOIN {right} USING ({draw(st.sampled_from(('id', 'id', 'x')))})", both
    return f"{left} NATURAL JOIN {right}", both


@st.composite
def queries(draw: st.DrawFn, depth: int = 2, outer: Visible = ()) -> str:
    """A SELECT."""
    sources, visible = draw(items(depth, outer))
    if draw(st.integers(0, 2)) == 0:
        more, names = draw(items(depth, outer, visible))
        sources, visible = f"{sources}, {more}", visible + names
    targets = []
    for number in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(("", "", " AS x", " AS id", f" AS n{number}")))
        targets.append(draw(expressions(depth - 1, visible)) + name)
    if draw(st.integers(0, 5)) == 0:
        targets = [draw(st.sampled_from(("*", f"{visible[0]}.*", f"({visible[0]}).id", f"{visible[0]}::text")))]
    query = f"SELECT {', '.join(targets)} FROM {sources}"
    if draw(st.booleans()):
        query += f" WHERE {draw(expressions(depth - 1, visible + outer))} > 0"
    if draw(st.integers(0, 3)) == 0:
        query += f" ORDER BY {draw(st.sampled_from(COLUMNS))}"
    if depth == 2 and draw(st.integers(0, 3)) == 0:
        query = f"WITH {draw(st.sampled_from(('w', 'a', 'b (id, x)')))} AS ({draw(queries(1))}) {query}"
    return query
