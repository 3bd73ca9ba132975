"""Probe files: what is wrong is told with file and line, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from dflint.facts.probe_reader import read_probes
from dflint.model.errors import RuleErrors

GOOD = """\
schema: 1
probes:
  - id: one
    proves: [some-fact]
    since: 14
    setup: |
      create table t(a int);
    settings: {timezone: UTC, lock_timeout: 5}
    before: set local role probe_x
    sql: alter table t add b int
    error: {14-15: "42601", 18: "0A000"}
    note: why
  - id: two
    sql: select 1
    error: "22012"
"""


def written(directory: Path, text: str, name: str = "probes.yaml") -> Path:
    file = directory / name
    file.write_text(text)
    return file


def problems(directory: Path, text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(RuleErrors) as raised:
        read_probes([written(directory, text)])
    return [(error.line, error.message) for error in raised.value.errors]


def test_all_fields_are_read(tmp_path: Path) -> None:
    one, two = read_probes([written(tmp_path, GOOD)])
    assert (one.id, one.proves, one.since, one.until) == ("one", ("some-fact",), 14, 18)
    assert one.settings == {"timezone": "UTC", "lock_timeout": "5"}
    assert [one.refusal(major) for major in (14, 15, 16, 17, 18)] == ["42601", "42601", "", "", "0A000"]
    assert [one.covers(major) for major in (13, 14)] == [False, True]
    assert one.place == f"{tmp_path}/probes.yaml:3"
    assert (two.proves, two.since, two.setup, two.refusal(13)) == (None, 13, "", "22012")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("    sqll: x", "unknown field 'sqll' in a probe"),
        ("    until: 13.5", "'until' must be a whole number"),
        ("    until: 12", "since and until must lie between 13 and 18"),
        ("    error: 42601", """'error' must be a SQLSTATE in quotes, such as "0A000\""""),
        ('    error: {12: "42601"}', "'error' must be by major (13 … 18, or a range such as 13-14), not by '12'"),
        ("    settings: [a]", "'settings' must be a mapping of settings"),
    ],
)
def test_a_wrong_field_is_told(tmp_path: Path, line: str, message: str) -> None:
    found = problems(tmp_path, f"schema: 1\nprobes:\n  - id: one\n    sql: select 1\n{line}\n")
    assert message in [text for _, text in found]


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = "schema: 1\nprobes:\n  - id: Not-An-Id\n    sql: select 1\n  - id: two\n  - sql: select 1\n"
    assert problems(tmp_path, text) == [
        (3, "'Not-An-Id' is no id"),
        (5, "the field 'sql' is missing in a probe"),
        (6, "the field 'id' is missing in a probe"),
    ]


def test_an_id_exists_once_in_all_files(tmp_path: Path) -> None:
    files = [written(tmp_path, GOOD), written(tmp_path, GOOD, "more.yaml")]
    with pytest.raises(RuleErrors) as raised:
        read_probes(files)
    assert [error.message for error in raised.value.errors] == [
        f"the probe {name!r} is already in {files[0]}:{line}" for name, line in (("one", 3), ("two", 13))
    ]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuleErrors, match="cannot be read"):
        read_probes([tmp_path / "none.yaml"])
