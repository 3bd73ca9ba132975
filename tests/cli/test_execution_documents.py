"""The JSON documents of `dflint exec`, `runs` and `locks`, against their schemas."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest

from dflint import __version__
from dflint.app.execution_documents import schemas
from tests.cli.running import ROOT, run
from tests.servers import TestServer

VALIDATORS = {name: jsonschema.Draft202012Validator(json.loads(text)) for name, text in schemas().items()}


@pytest.mark.parametrize("name", VALIDATORS)
def test_the_schemas_in_the_documentation_are_current(name: str) -> None:
    kept = ROOT / "docs" / "schemas" / f"{name}.schema.json"
    assert kept.read_bytes() == schemas()[name], "run docs/schemas/generate.py"
    jsonschema.Draft202012Validator.check_schema(json.loads(kept.read_bytes()))


def checked(name: str, text: str) -> dict[str, Any]:
    assert text.startswith('{"schema_version":1,')
    document: dict[str, Any] = json.loads(text)
    VALIDATORS[name].validate(document)
    return document


def test_executions_and_their_runs(
    pg: TestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DFLINT_DB", pg.new_database())
    good, bad, lossy = (Path(name) for name in ("good.sql", "bad.sql", "lossy.sql"))
    good.write_text(
        "CREATE TABLE t (id int PRIMARY KEY, a int);\nINSERT INTO t SELECT generate_series(1, 50);\n"
        "CREATE INDEX CONCURRENTLY i ON t (a);\n-- dflint: backfill\nUPDATE t SET a = id;\n"
    )
    bad.write_text("ALTER TABLE t ADD COLUMN b int;\nSELECT 1 / 0;\n")
    lossy.write_text("DROP TABLE t;\n")

    def json_of(name: str, status: int, *arguments: str) -> dict[str, Any]:
        ran = run(capsys, *arguments, "--format", "json")
        assert ran.status == status, ran
        return checked(name, ran.stdout)

    assert json_of("run", 0, "exec", "status") == {"schema_version": 1, "dflint": __version__, "run": None}
    assert json_of("runs", 0, "runs", "list")["runs"] == []
    refused = json_of("exec", 10, "exec", "lossy.sql")
    assert (refused["run"], refused["ending"]["next"].startswith("give --yes")) == (None, True)
    done = json_of("exec", 0, "exec", "good.sql", "--yes")
    assert [step["kind"] for step in done["steps"]] == ["tx", "tx", "nontx", "backfill"]
    failed = json_of("exec", 13, "exec", "bad.sql", "--yes")
    assert failed["steps"][1]["error"]["sqlstate"] == "22012"
    assert json_of("run", 0, "exec", "status")["run"]["run_id"] == failed["run"]
    shown = json_of("run", 0, "runs", "show", done["run"])
    assert shown["cursors"]["3"]["rows_done"] == 50
    assert shown["events"][-1]["kind"] in {"finished", "lock_released"}
    assert [one["plan"] for one in json_of("runs", 0, "runs", "list")["runs"]] == ["bad.sql", "good.sql"]


def test_locks(pg: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = pg.new_database()

    def wait() -> None:
        with psycopg.connect(dsn) as waiter:
            waiter.execute("LOCK TABLE t")

    with psycopg.connect(dsn) as blocker:
        blocker.execute("CREATE TABLE t (id int)")
        blocker.commit()
        pid = blocker.info.backend_pid
        blocker.execute("SELECT * FROM t")
        waiting = threading.Thread(target=wait)
        waiting.start()
        deadline = time.monotonic() + 20
        while not (found := checked("locks", run(capsys, "locks", "--db", dsn, "--format", "json").stdout))["trees"]:
            assert time.monotonic() < deadline
        blocker.rollback()
        waiting.join()
    (tree,) = found["trees"]
    assert tree["participant"]["pid"] == pid
    assert tree["waiters"][0]["participant"]["waits_for"] == "AccessExclusiveLock on public.t"
    refused = run(capsys, "locks", "--db", dsn, "--format", "json", "--watch")
    assert (refused.status, "contradict" in refused.stderr) == (2, True)
