"""What holds for every runner and every text."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dflint_sources
from tests.plugins.sources.memory import sections, source, tree

RUNNERS = sorted(dflint_sources.dflint_sources())

_FRAGMENTS = st.sampled_from(
    [
        b"-- +goose Up\n", b"-- +goose Down\n", b" -- +goose NO TRANSACTION\n", b"-- +goose StatementBegin\n",
        b"-- +goose StatementEnd\n", b"-- migrate:up transaction:false\n", b"-- migrate:down\n", b"-- +migrate Up\n",
        b"-- +migrate Down notransaction\r\n", b"---- create above / drop below ----", b"---- tern: disable-tx ----\n",
        b"--liquibase formatted sql\n", b"--changeset a:b runInTransaction:false endDelimiter:/\n", b"--rollback x;\n",
        b"-- atlas:txmode none\n", b"\n", b"\r\n", b"-- no-transaction\n", b"--> statement-breakpoint\n", b"SELECT 1;\n",
        b"$$ ; $$", b"'", b"-- atlas:delimiter \\n\\n\n", b"/\n", b"\xff", b"--changeset\n", b"-- atlas:checkpoint\n",
    ]
)  # fmt: skip

_TEXTS = st.one_of(st.binary(max_size=200), st.lists(_FRAGMENTS, max_size=12).map(b"".join))
_PATHS = st.sampled_from(
    ["1_a.sql", "1_a.up.sql", "1_a.down.sql", "V1__a.sql", "U1__a.sql", "x/migration.sql", "revert/a.sql", ""]
)


@pytest.mark.parametrize("runner", RUNNERS)
@given(text=_TEXTS, path=_PATHS, version=st.one_of(st.none(), st.text(max_size=8)), bom=st.booleans())
def test_sections_never_raise_and_spans_lie_in_the_text_in_order(
    runner: str, text: bytes, path: str, version: str | None, bom: bool
) -> None:
    found = sections(runner, text, path, version=version, had_bom=bom)
    end = 0
    for section in found.sections:
        assert end <= section.span.start <= section.span.end <= len(text)
        end = section.span.end
        inner = section.span.start
        for chunk in section.chunks:
            assert inner <= chunk.start < chunk.end <= section.span.end
            inner = chunk.end
        if section.marker is not None:
            assert 0 <= section.marker.start <= section.marker.end <= len(text)
            assert section.wrapping == "none"
    for notice in found.notices:
        assert 0 <= notice.span.start <= notice.span.end <= len(text)
        assert notice.rule in {"marker-without-effect", "runner-refuses-file", "never-runs"}


_NAMES = st.sampled_from(
    ["1_a.sql", "V1__a.sql", "R__.sql", "U__x.sql", "_.sql", "sqitch.plan", "sqitch.conf", "atlas.sum", "migration_lock.toml",
     "meta/_journal.json", "flyway.conf", "flyway.toml", "package.json", "go.mod", "Cargo.toml", "changelog.xml",
     "1_a/up.sql", "1_a/migration.sql", "1_a/snapshot.json", "deploy/1_a.sql", "².sql", "³_x.sql", "V٣__x.sql"]
)  # fmt: skip


@pytest.mark.parametrize("runner", RUNNERS)
@given(
    files=st.dictionaries(_NAMES, _TEXTS, max_size=8), at=st.sampled_from(["db/migration", "supabase/migrations", "m"])
)
def test_claims_never_raise_and_name_each_existing_file_once(runner: str, files: dict[str, bytes], at: str) -> None:
    directory = tree({f"{at}/{name}": content for name, content in files.items()} | {f"{at}/z.txt": b""}, at)
    found = source(runner).claim(directory)
    names = source(runner).files(directory)
    for listed in (names, found.files if found else ()):
        assert len(set(listed)) == len(listed)
        assert set(listed) <= set(files)
    if found is not None:
        assert found.runner.name == runner
        assert found.runner.reason


def test_importing_the_plugin_loads_no_runner() -> None:
    code = "import sys, dflint_sources; print([m for m in sys.modules if m.startswith('dflint_sources.')])"
    root = Path(dflint_sources.__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": f"{root}:{root / 'plugins'}"},
    )  # fmt: skip
    assert run.stdout.strip() == "[]"


def test_sources_import_only_the_door_and_the_model() -> None:
    folder = Path(dflint_sources.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("dflint."):
                assert node.module.split(".")[1] in {"plugin", "model"}, path


@pytest.mark.parametrize("runner", RUNNERS)
def test_each_source_bears_its_name(runner: str) -> None:
    assert source(runner).name == runner
