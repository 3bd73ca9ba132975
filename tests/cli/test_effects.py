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


def test_the_earlier_files_of_the_folder_are_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    write("00001_a.sql", "-- +goose Up\nCREATE TABLE t (a int, b text);\nCREATE INDEX t_b ON t (b);\n")
    write("00002_b.sql", "-- +goose Up\nALTER TABLE t ADD c int;\n-- +goose Down\nDROP TABLE t;\n")
    file = write("00003_c.sql", "-- +goose Up\nDROP INDEX t_b;\n\nALTER TABLE t DROP c;\n-- +goose Down\nSELECT 1;\n")
    write("00004_d.sql", "-- +goose Up\nDROP TABLE t;\n")
    assert main(["effects", file, "--format", "json"]) == exit_codes.FINE
    first, second = json.loads(capsys.readouterr().out)["statements"]
    assert (first["line"], second["line"]) == (2, 4)
    assert first["locks"] == {"index:public.t_b": "ACCESS EXCLUSIVE", "table:public.t": "ACCESS EXCLUSIVE"}
    assert first["refused_by_server"] is second["refused_by_server"] is None
    assert second["unknown"] == []
    # The runner wraps the file in a transaction.
    file = write("00003_c.sql", "-- +goose Up\nDROP INDEX CONCURRENTLY t_b;\nSELECT 1;\n")
    assert main(["effects", file, "--format", "json"]) == exit_codes.FINE
    assert json.loads(capsys.readouterr().out)["statements"][0]["refused_by_server"]["sqlstate"] == "25001"
