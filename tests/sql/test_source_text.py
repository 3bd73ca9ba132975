from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.model.errors import SourceError
from dflint.sql.source_text import SourceText


def test_a_nul_byte_is_refused_with_its_place() -> None:
    with pytest.raises(SourceError) as caught:
        SourceText("a.sql", b"select 1;\n \0drop table x;")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("a.sql", 2, 2)
    assert "NUL" in str(caught.value)


def test_bad_utf8_is_refused_with_its_place() -> None:
    with pytest.raises(SourceError) as caught:
        SourceText("a.sql", "-- ä".encode() + b"\n\xff")
    assert (caught.value.line, caught.value.column) == (2, 1)
    assert "0xff" in str(caught.value)


def test_a_byte_order_mark_is_removed_and_remembered() -> None:
    source = SourceText("a.sql", b"\xef\xbb\xbfselect 1")
    assert source.text == b"select 1"
    assert source.had_bom


@given(st.text(), st.integers(min_value=0))
def test_positions_are_lines_and_code_points(text: str, index: int) -> None:
    text = text.replace("\0", "")
    index = min(index, len(text))
    source = SourceText("a.sql", text.encode("utf-8", "ignore"))
    before = source.text.decode()[:index]
    line, column = source.position(len(before.encode()))
    assert line == before.count("\n") + 1
    assert column == len(before) - (before.rfind("\n") + 1) + 1
