from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.model.errors import ParserUnavailable
from dflint.sql.libpg_query import COMMENT_TOKENS, GrammarError, LibPgQuery, TooDeep, load_library
from dflint.sql.library_file import find_library

LIBRARY = load_library()


def test_the_grammar_is_postgresql_18() -> None:
    assert msgspec.json.decode(LIBRARY.parse(b"SELECT 1"))["version"] // 10000 == 18


def test_grammar_errors_carry_a_byte_offset() -> None:
    text = "select 'ä' frm x where".encode()
    with pytest.raises(GrammarError) as caught:
        LIBRARY.parse(text)
    assert caught.value.message == 'syntax error at or near "x"'
    assert text[caught.value.position :].startswith(b"x where")


def test_scan_gives_tokens_and_comments() -> None:
    text = b"select /* x */ 1 -- y\n, 'a'"
    tokens = LIBRARY.scan(text)
    assert [text[t.start : t.end] for t in tokens if t.code in COMMENT_TOKENS] == [b"/* x */", b"-- y"]
    assert [text[t.start : t.end] for t in tokens if t.code not in COMMENT_TOKENS] == [b"select", b"1", b",", b"'a'"]


@pytest.mark.parametrize(
    "text",
    [
        b"select 1" + b"+1" * 100_000,
        b"select " + b"(" * 20_000 + b"1" + b")" * 20_000,
        b"select 1" + b" union select 1" * 100_000,
        b"select " + b"not " * 100_000 + b"true",
        b"select a" + b" and b" * 100_000,
        b"select a" + b"::int" * 100_000,
        b"select a" + b"[1]" * 100_000,
    ],
    ids=["operators", "brackets", "unions", "not", "and", "casts", "subscripts"],
)
def test_deep_text_never_kills_the_process(text: bytes) -> None:
    # In a child of its own: a stack overflow would take the test run with it.
    code = (
        "import sys; from dflint.sql.libpg_query import *; l = load_library()\n"
        "try: l.parse(sys.stdin.buffer.read())\n"
        "except (GrammarError, TooDeep): pass"
    )
    result = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr[-500:]


def test_a_million_levels_are_refused_without_parsing() -> None:
    with pytest.raises(TooDeep):
        LIBRARY.parse(b"select 1" + b"+1" * 1_100_000)


def test_many_rows_are_not_deep() -> None:
    text = b"insert into t values " + b",".join([b"(1, 2.5, 'a-b-c(d) and or')"] * 30_000)
    assert LIBRARY.parse(text)


def test_a_library_of_another_kind_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "libpg_query.so"
    broken.write_bytes(b"not a library")
    monkeypatch.setenv("DFLINT_LIBPG_QUERY", str(broken))
    with pytest.raises(ParserUnavailable, match="cannot be loaded"):
        load_library()


def test_the_library_file_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "elsewhere.so"
    shutil.copy(find_library(), copy)
    monkeypatch.setenv("DFLINT_LIBPG_QUERY", str(copy))
    assert find_library() == str(copy)
    assert len(load_library().scan(b"a;b")) == 3


def test_no_library_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DFLINT_LIBPG_QUERY", raising=False)
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ParserUnavailable, match="not found"):
        find_library()


@given(st.binary(max_size=300).filter(lambda b: b"\0" not in b))
def test_arbitrary_bytes_give_a_result_or_a_grammar_error(text: bytes) -> None:
    try:
        tokens = LIBRARY.scan(text)
    except GrammarError as error:
        assert 0 <= error.position <= len(text)
    else:
        assert all(0 <= t.start <= t.end <= len(text) for t in tokens)
    try:
        LIBRARY.parse(text)
    except GrammarError as error:
        assert 0 <= error.position <= len(text)


def test_the_self_test_notices_a_wrong_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    library = LibPgQuery(find_library())
    monkeypatch.setattr(library, "scan", lambda _text: [])
    with pytest.raises(ParserUnavailable, match="another ABI"):
        library.self_test()
