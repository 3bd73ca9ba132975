from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.model.errors import InputError
from dflint.model.names import Identity
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.sql.build.nodes import string
from dflint.sql.libpg_query import load_library

LIBRARY = load_library()
PARTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=0, max_size=12)


@given(st.from_regex(r"[a-z_]+", fullmatch=True), st.lists(PARTS, min_size=1, max_size=4))
def test_parsing_an_identity_is_the_inverse_of_printing(kind: str, parts: list[str]) -> None:
    identity = Identity(kind, tuple(parts))
    assert Identity.parse(str(identity)) == identity


@pytest.mark.parametrize(
    ("identity", "printed"),
    [
        (Identity("table", ("public", "users")), "table:public.users"),
        (Identity("column", ("public", "Odd.Name", 'a"b')), 'column:public."Odd.Name"."a""b"'),
        (Identity("function", ("public", "f(integer, text)")), 'function:public."f(integer, text)"'),
    ],
)
def test_printed_identities(identity: Identity, printed: str) -> None:
    assert str(identity) == printed


@pytest.mark.parametrize("text", ["", "table", "table:", ":a", 'table:a"b', 'table:"a', "table:a..b", "table:a,b"])
def test_bad_identities_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        Identity.parse(text)


def _constant(sql: bytes) -> dict[str, object]:
    tree = msgspec.json.decode(LIBRARY.parse(sql))
    value: dict[str, object] = tree["stmts"][0]["stmt"]["SelectStmt"]["targetList"][0]["ResTarget"]["val"]
    return value


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_a_quoted_literal_is_read_back_by_postgresql(text: str) -> None:
    constant = _constant(f"select {quote_literal(text)}".encode())["A_Const"]
    assert isinstance(constant, dict)
    assert constant["sval"].get("sval", "") == text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=15))
def test_a_quoted_identifier_is_read_back_by_postgresql(name: str) -> None:
    column = _constant(f"select {quote_identifier(name)}".encode())["ColumnRef"]
    assert isinstance(column, dict)
    assert string(column["fields"][0]) == name


@pytest.mark.parametrize("word", ["select", "user", "int", "between", "values", "table"])
def test_keywords_are_quoted(word: str) -> None:
    assert quote_identifier(word) == f'"{word}"'


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_is_no_identifier_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not an identifier"):
        quote_identifier(name)
