"""A scratch server comes up wherever dflint may be run."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from dflint.model.errors import ServerError
from dflint.plugin.servers import Installation
from dflint.postgres.identity import Identity, identities
from dflint.postgres.providers import PROVIDERS, find
from dflint.postgres.scratch import Scratch
from tests.postgres import processes

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")

START = """
    import json, os, psycopg
    from psycopg.conninfo import make_conninfo
    from dflint.postgres.scratch import Scratch
    with Scratch({arguments}) as scratch:
        with psycopg.connect(make_conninfo(**scratch.parameters("postgres"))) as connection:
            answer = connection.execute("SELECT 6 * 7").fetchone()[0]
        print(json.dumps({{
            "answer": answer,
            "user": os.geteuid(),
            "identity": scratch._programs.identity.name,
            "owner": scratch.data.stat().st_uid,
            "folder": str(scratch.folder),
            "bindir": str(scratch._programs.bindir),
        }}))
"""


def answer(scratch: Scratch, query: str = "SELECT 6 * 7") -> object:
    connection = psycopg.connect(make_conninfo(**scratch.parameters("postgres")), autocommit=True)
    try:
        cursor = connection.execute(query.encode())
        return cursor.fetchone() if cursor.description else None
    finally:
        connection.close()


def test_as_this_user() -> None:
    with Scratch() as scratch:
        assert answer(scratch) == (42,)
        folder = scratch.folder
    assert not folder.exists()


def test_as_an_ordinary_user_in_a_private_home(home: Path) -> None:
    home.chmod(0o700)
    said = json.loads(processes.run(START.format(arguments=""), home, ordinary=True, HOME=str(home)))
    assert said["answer"] == 42
    assert said["user"] != 0
    assert said["identity"] == "own"
    assert not Path(said["folder"]).exists()
    assert processes.entries(home) == []


@as_root
def test_root_stays_the_owner_of_the_files() -> None:
    with Scratch() as scratch:
        assert scratch._programs.identity.name.startswith("namespace:")
        assert scratch.data.stat().st_uid == 0


@as_root
def test_root_without_namespaces_becomes_another_user(tmp_path: Path) -> None:
    with Scratch(candidates=identities()[1:], cache=tmp_path) as scratch:
        assert answer(scratch) == (42,)
        assert scratch.data.stat().st_uid not in {0}
        folder = scratch.folder
    assert not folder.exists()
    # What stays is ours, and serves the other way too.
    assert {path.stat().st_uid for path in tmp_path.rglob("*")} == {0}
    with Scratch(cache=tmp_path) as scratch:
        assert answer(scratch) == (42,)


@as_root
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter names a system call by number")
def test_root_where_namespaces_are_forbidden(home: Path) -> None:
    """As containers do it: a filter lets unshare fail."""
    forbid = """
    import ctypes, struct
    unshare, allow, refuse = 272, 0x7FFF0000, 0x00050001
    program = struct.pack("=HBBI", 0x20, 0, 0, 0) + struct.pack("=HBBI", 0x15, 0, 1, unshare)
    program += struct.pack("=HBBI", 0x06, 0, 0, refuse) + struct.pack("=HBBI", 0x06, 0, 0, allow)
    code = ctypes.create_string_buffer(program, len(program))
    filter = ctypes.create_string_buffer(struct.pack("@HxxxxxxP", 4, ctypes.addressof(code)), 16)
    assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0
    assert ctypes.CDLL(None).prctl(22, 2, filter, 0, 0) == 0
    """
    said = json.loads(processes.run(forbid + START.format(arguments=""), home))
    assert said["answer"] == 42
    assert said["identity"].startswith("user:")
    assert said["owner"] != 0


@as_root
def test_programs_that_only_root_can_reach_are_copied(tmp_path: Path) -> None:
    usual = find(None, PROVIDERS).installation
    tmp_path.chmod(0o700)
    hidden = Installation("hidden", str(tmp_path / "tree" / "bin"), str(tmp_path / "libraries"))
    subprocess.run(["cp", "-a", Path(usual.bindir).parent, tmp_path / "tree"], check=True)
    subprocess.run(["cp", "-a", usual.libraries or usual.bindir, tmp_path / "libraries"], check=True)
    with Scratch(providers=[lambda: [hidden]], candidates=identities()[1:], cache=tmp_path / "cache") as scratch:
        assert answer(scratch) == (42,)
        copied = scratch._programs.bindir
        assert not copied.is_relative_to(tmp_path)
    assert not copied.exists()


def test_an_identity_that_is_forbidden_gives_way_to_the_next() -> None:
    nobody_there = Identity("namespace:4294967295")
    with Scratch(candidates=[nobody_there, *identities()]) as scratch:
        assert answer(scratch) == (42,)
    with pytest.raises(ServerError, match="becoming another is forbidden"), Scratch(candidates=[nobody_there]):
        pass


@pytest.mark.parametrize("name", ["x" * 120, 'it\'s, "quoted" \\ and %s'])
def test_awkward_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    directory = tmp_path / name
    directory.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    with Scratch(in_memory=False) as scratch:
        if not identities()[0].name.startswith("user:"):
            assert scratch.folder.is_relative_to(directory) or os.geteuid() == 0
        assert answer(scratch) == (42,)
        places = {scratch.folder, scratch.sockets}
    assert not any(place.exists() for place in places)


def test_without_a_home(tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.write_text("no directory")
    temporary.mkdir()
    said = json.loads(processes.run(START.format(arguments=""), home, TMPDIR=str(temporary)))
    assert said["answer"] == 42
    assert [path.name for path in temporary.iterdir()] == [f"dflint-{said['user']}"]


def test_the_settings_of_the_user_do_not_reach_it(home: Path) -> None:
    hostile = {"PGHOST": "192.0.2.1", "PGPORT": "1", "PGOPTIONS": "-c search_path=nowhere", "PGDATA": "/nowhere"}
    hostile |= {"LC_ALL": "xx_XX", "TZ": "Nowhere/Land", "PGCLIENTENCODING": "LATIN1"}
    assert json.loads(processes.run(START.format(arguments=""), home, ordinary=True, **hostile))["answer"] == 42


def test_concurrent_starts_share_one_template(tmp_path: Path) -> None:
    with ExitStack() as stack:
        children = [stack.enter_context(processes.started(START.format(arguments=""), tmp_path)) for _ in range(4)]
        assert [json.loads(processes.line(child))["answer"] for child in children] == [42] * 4
        assert [child.wait(30) for child in children] == [0] * 4
    templates = tmp_path / "dflint" / "postgres" / "templates"
    assert len([path for path in templates.iterdir() if path.is_dir()]) == 1


def test_a_template_is_not_changed_by_servers_and_remade_when_damaged(tmp_path: Path) -> None:
    with Scratch(cache=tmp_path) as scratch:
        answer(scratch, "CREATE TABLE t ()")
        answer(scratch, "CHECKPOINT")
    with Scratch(cache=tmp_path) as scratch:
        assert answer(scratch, "SELECT to_regclass('t') IS NULL") == (True,)
    (control,) = tmp_path.rglob("pg_control")
    control.unlink()
    with Scratch(cache=tmp_path) as scratch:
        assert answer(scratch) == (42,)


def test_a_server_that_does_not_start_says_why() -> None:
    scratch = Scratch(settings={"shared_buffers": "many"})
    with pytest.raises(ServerError, match="shared_buffers"), scratch:
        pass
    assert not scratch.folder.exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "servers").write_text("in the way")
    with pytest.raises(ServerError, match="cannot be written"), Scratch(cache=tmp_path):
        pass
