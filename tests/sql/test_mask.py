from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.sql.mask import mask_copy_data, mask_psql, mask_templates


def test_psql_commands_are_blanked_and_listed() -> None:
    text = b"\\set x 1\nselect 1;\n\\i other.sql\n"
    masked, lines = mask_psql(text)
    assert masked == b"        \nselect 1;\n            \n"
    assert [(line.command, line.arguments, line.unknown) for line in lines] == [
        ("set", "x 1", False),
        ("i", "other.sql", True),
    ]


def test_sending_commands_end_the_statement() -> None:
    masked, _ = mask_psql(b"select 1 \\gexec\nselect 2;")
    assert masked == b"select 1 ;     \nselect 2;"


@pytest.mark.parametrize(
    "text",
    [b"select '\\a';", b"select E'\\'\\n';", b"-- \\x\nselect 1", b"select $$ \\d $$", b'select "\\d"', b"/* \\i */"],
)
def test_backslashes_inside_quotes_are_text(text: bytes) -> None:
    assert mask_psql(text) == (text, [])


def test_copy_data_is_blanked() -> None:
    text = b"copy t (a) from stdin;\n1\tit's\n\\N\n\\.\nselect 1;\n"
    masked = mask_copy_data(text)
    assert masked == b"copy t (a) from stdin;\n \t    \n  \n  \nselect 1;\n".replace(b"\t", b" ")
    assert mask_psql(text)[0] == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (b"create table {{.schema}}.t ()", b"create table ___schema__.t ()"),
        (b"select * from @extschema@.t", b"select * from _extschema_.t"),
        (b"create table ${schema}.t ()", b"create table __schema_.t ()"),
        (b"{{if .x}}select 1;{{end}}", b"         select 1;       "),
        (b"create table {{ a }}({{ b }} int, {{ a }}_x int)", b"create table ___a___(___b___ int, ___a____x int)"),
    ],
)
def test_placeholders_become_identifiers_of_the_same_length(text: bytes, masked: bytes) -> None:
    assert mask_templates(text, psql_variables=False) == masked


def test_psql_variables() -> None:
    text = b"create role :owner; select :'a', :\"b\", x::int, ':c', a[1:2], '12:30'"
    assert mask_templates(text, psql_variables=True) == (
        b"create role _owner; select 'a_', \"b_\", x::int, ':c', a[1:2], '12:30'"
    )
    assert mask_templates(text, psql_variables=False) == text


@given(st.text(alphabet="{}$@:%<>=\\\n'\"-*/; aif.g", max_size=80))
def test_masking_keeps_length_and_lines(text: str) -> None:
    raw = text.encode()
    for masked in (
        mask_templates(raw, psql_variables=True),
        mask_psql(raw)[0],
        mask_copy_data(raw),
    ):
        assert len(masked) == len(raw)
        assert [i for i, b in enumerate(masked) if b == 10] == [i for i, b in enumerate(raw) if b == 10]
