from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.facts.yaml_loader import load
from dflint.model.errors import RuleError


def data(text: str) -> object:
    return load(text, "a.yaml").data


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("on", "on"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("012", "012"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("0.10", "0.10"),
        ("1e3", "1e3"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        (".inf", ".inf"),
        ('"true"', "true"),
        ("'12'", "12"),
        ("=", "="),
    ],
)
def test_scalars_keep_their_text(written: str, read: object) -> None:
    value = load(f"key: {written}", "a.yaml").data["key"]
    assert value == read
    assert type(value) is type(read)


def test_keys_are_always_text() -> None:
    assert data("on: 1\n5: 2\nnull: 3") == {"on": 1, "5": 2, "null": 3}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' is already in line 1"),
        ("x:\n  - a: 1\n    a: 2\n", 3, "the key 'a' is already in line 2"),
        ("a: &b [1]\nc: *b\n", 1, "anchors and aliases"),
        ("a: 1\n<<: {b: 2}\n", 2, "merge keys"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "tag"),
        ("a: 1\nb: !mine x\n", 2, "tag"),
        ("a: 1\nb: [1, 2\n", 3, "not valid YAML"),
        ("a: 1\n? [b]\n: 2\n", 2, "a key must be plain text"),
        ("a: 1\n\n", 0, ""),
        ("", 1, "empty"),
        ("a: b\x00c", 1, "not valid YAML"),
    ],
)
def test_traps_are_errors_with_a_line(text: str, line: int, message: str) -> None:
    if not message:
        assert data(text) == {"a": 1}
        return
    with pytest.raises(RuleError, match=message.replace("?", r"\?")) as caught:
        load(text, "rules/a.yaml")
    assert caught.value.file == "rules/a.yaml"
    assert caught.value.line == line


def test_a_path_has_the_line_of_its_key() -> None:
    document = load("id: a\nwhen:\n  one: 1\n  any:\n    - two: 2\n    - three: 3\n", "a.yaml")
    assert document.line(("when",)) == 2
    assert document.line(("when", "any", 1, "three")) == 6
    assert document.line(("when", "missing", "deeper")) == 2
    assert document.line(()) == 1


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(RuleError):
        load(text, "a.yaml")
