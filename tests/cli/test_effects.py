"""``dflint effects`` as its users see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dflint.catalog.snapshot_file import dump
from dflint.cli import exit_codes
from dflint.cli.main import main
from tests.app.test_effects import catalog

SQL = """\
-- a comment
alter table customers add column score float8 default random();
create index concurrently on customers (name);
alter table customers drop column nothing;
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "a.sql"
    path.write_text(SQL)
    return str(path)


@pytest.fixture
def snapshot(tmp_path: Path) -> str:
    path = tmp_path / "schema.dflint.json"
    path.write_bytes(dump(catalog())[0])
    return str(path)


def test_text(file: str, snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["effects", file, "--catalog", snapshot]) == exit_codes.FINE
    out = capsys.readouterr().out
    for part in (
        "PostgreSQL 18",
        f"{file}:2 add_column",
        "ACCESS EXCLUSIVE: index:public.customers_lower, index:public.customers_pkey, table:public.customers",
        "meanwhile no reads, writes",
        "rewrites: table:public.customers",
        "not in a transaction",
        "leaves behind when it is cancelled: invalid index",
        "refused: 42703, there is no such column",
    ):
        assert part in out
    assert "not known" not in out


def test_json(file: str, snapshot: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--catalog", snapshot, "--format", "json", "--pg-version", "15"]
    assert main(["effects", file, *options]) == exit_codes.FINE
    document = json.loads(capsys.readouterr().out)
    assert document["pg_version"] == 15
    assert [statement["line"] for statement in document["statements"]] == [2, 3, 4]
    target = tmp_path / "out.json"
    assert main(["effects", file, *options, "-o", str(target)]) == exit_codes.FINE
    assert json.loads(target.read_text()) == document
    assert capsys.readouterr().out == ""


def test_without_a_catalog(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["effects", file]) == exit_codes.FINE
    assert "not known: the definition of public.customers" in capsys.readouterr().out


def test_what_cannot_be_read(tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["effects", str(tmp_path / "none.sql")]) == exit_codes.UNUSABLE
    assert main(["effects", file, "--catalog", file]) == exit_codes.UNUSABLE
    assert main(["effects", file, "--pg-version", "9"]) == exit_codes.UNUSABLE
    assert capsys.readouterr().out == ""
