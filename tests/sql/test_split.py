from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.sql.libpg_query import load_library
from dflint.sql.split import split

LIBRARY = load_library()


def pieces(text: str) -> list[str]:
    raw = text.encode()
    return [raw[a:b].decode() for a, b in split(LIBRARY, raw)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("selec 1; create function f() as $$ ; $$; x", ["selec 1", "create function f() as $$ ; $$", "x"]),
        ("create rule r as on insert to t do (select 1; select 2); select 3", None),
        ("create table a (b int; select 1; select 2", ["create table a (b int", "select 1", "select 2"]),
        ("select 1)); select 2", ["select 1))", "select 2"]),
        (
            "create function f() returns int begin atomic select case when a then 1 end; select 2; end; select 3",
            ["create function f() returns int begin atomic select case when a then 1 end; select 2; end", "select 3"],
        ),
        ("begin; select 1; end; select 2", ["begin", "select 1", "end", "select 2"]),
        ("select 1; select 'x; select 2", ["select 1", "select 'x; select 2"]),
        ("select 1;\n'x; select 2", ["select 1", "'x; select 2"]),
        ("-- only\n/* comments */;;", []),
        ("", []),
    ],
)
def test_split(text: str, expected: list[str] | None) -> None:
    if expected is None:
        expected = [text[: text.index(");") + 1], "select 3"]
    assert pieces(text) == expected


@given(st.text(alphabet="ab ;()'\"$-/*\n[]", max_size=60))
def test_pieces_are_ordered_and_lose_nothing_but_separators_and_comments(text: str) -> None:
    raw = text.encode()
    found = split(LIBRARY, raw)
    assert all(a < b for a, b in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))
    if "--" not in text and "/*" not in text and "$" not in text and "'" not in text and '"' not in text:
        kept = "".join(text[a:b] for a, b in found)
        assert [c for c in kept if c in "ab"] == [c for c in text if c in "ab"]
