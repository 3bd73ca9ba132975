from __future__ import annotations

from pathlib import Path

import pytest

from dflint.facts.probe_reader import read_probes
from tests.cli.running import ROOT, run
from tests.servers import TestServer

PROBES = """\
schema: 1
probes:
  - id: widen
    setup: |
      create table p(id int primary key, a varchar(10));
      create index on p(lower(a));
      create table c(p int references p);
    sql: alter table p alter column id type bigint
  - id: detach
    setup: |
      create table t(a int) partition by list (a);
      create table one partition of t for values in (1);
      create table two partition of t for values in (2);
    sql: alter table t detach partition one
  - id: concurrently
    setup: create table t(a int)
    sql: create index concurrently on t(a)
  - id: refused
    setup: create table t(a int)
    sql: alter table t drop column b
    error: "42703"
"""


@pytest.fixture
def probes(tmp_path: Path) -> str:
    file = tmp_path / "probes.yaml"
    file.write_text(PROBES)
    return str(file)


def test_record_names_roles(pg: TestServer, probes: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "facts", "record", probes, "--db", pg.dsn())
    assert (status, err) == (0, "")
    assert out.startswith("schema: 1\nfacts:\n  - id: widen\n    operations: [alter_column_type]\n    effect:\n")
    widen, detach, concurrently, refused = out.split("  - id: ")[1:]
    assert "        target: ACCESS EXCLUSIVE\n" in widen
    assert "      rewrite: true\n" in widen
    assert "      index_rebuild: true\n" in widen
    assert "        partition: ACCESS EXCLUSIVE\n" in detach
    assert ":" not in detach.partition("locks:")[2].replace(": ACCESS EXCLUSIVE", "").partition("note:")[0]
    assert "      transaction: refused\n" in concurrently
    assert "      waits_for: [old_snapshots, writers_of_target]\n" in concurrently
    assert "      leftover_on_timeout: invalid_index\n" in concurrently
    assert '      refused: "42703"\n' in refused


@pytest.mark.majors("ends")
def test_majors_that_differ_get_facts_of_their_own(
    pg: TestServer, pg_servers: object, probes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "facts", "record", probes, "--db", pg.dsn(), "--id", "detach")
    assert status == 0
    assert out.count("  - id: ") == 1
    assert f"note: seen on {pg.major}" in out
    assert ("partition: SHARE UPDATE EXCLUSIVE" in out) == (pg.major == 13)


def test_a_failing_setup_names_the_probe(pg: TestServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "probes.yaml"
    file.write_text("schema: 1\nprobes:\n  - id: broken\n    setup: nonsense\n    sql: select 1\n")
    status, out, err = run(capsys, "facts", "record", str(file), "--db", pg.dsn())
    assert (status, out) == (2, "")
    assert err == f'{file}:3: the setup of probe broken fails: syntax error at or near "nonsense"\n'


def test_misuse(probes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "facts", "record", probes, "--id", "none") == (2, "", "dflint: no probe is called 'none'\n")
    status, _, err = run(capsys, "facts", "record", "missing.yaml")
    assert (status, err) == (2, "missing.yaml: cannot be read: No such file or directory\n")


def test_the_documentation_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed, _ = run(capsys, "facts", "docs")
    assert status == 0
    assert (ROOT / "docs" / "facts.md").read_text() == printed, "dflint facts docs > docs/facts.md"


def test_built_in_probes_are_well_formed() -> None:
    files = sorted((ROOT / "rules" / "facts" / "probes").glob("*.yaml"))
    assert read_probes(files)
