"""Faults 12, 13, 14, 70, 72: servers and connections that go away, and a disk that is full."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.faults.cluster import Cluster
from tests.faults.executing import Database, gate, gated, kinds, plan_of, step, until
from tests.faults.proxy import Proxy
from tests.servers import TestServer

A, B, C = "CREATE TABLE a (i int)", "CREATE TABLE b (i int)", "CREATE TABLE c (i int)"


def tables(db: Database) -> list[str]:
    return [name for (name,) in db.run("SELECT relname FROM pg_class WHERE relname ~ '^[abc]$' ORDER BY 1")]


@pytest.fixture(params=[14, 18], ids=["pg14", "pg18"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with Cluster(request.param, settings={"autovacuum": "off"}) as cluster:
        yield cluster


def database(cluster: Cluster, folder: Path) -> Database:
    return Database(TestServer(cluster), folder, cluster.new_database())


@pytest.mark.majors(14, 18)
def test_12_a_commit_whose_answer_is_lost_is_read_again(db: Database) -> None:
    socket = db.server.scratch.sockets / f".s.PGSQL.{db.server.scratch.port}"
    with Proxy(socket) as proxy:
        dsn = make_conninfo(db.dsn, host="127.0.0.1", port=proxy.port, sslmode="disable", gssencmode="disable")
        through = Database(db.server, db.folder, dsn)
        with gate(db) as waiting:
            execution = through.start(db.save(plan_of(db.major, step(A), gated(B), step(C))), "--yes")
            until(waiting, "the second step")
            proxy.lose_replies_after(b"COMMIT")
        until(lambda: db.steps() == ["done", "done", "pending"], "the commit")
        proxy.lose_replies_after(b"\x00 nothing sends this")
        proxy.cut()
        ended = execution.result()
    assert ended.status == 130, ended.stderr
    assert "step 2 is done" in ended.stderr
    assert tables(db) == ["a", "b"]
    assert db.execute("resume").status == 0
    assert tables(db) == ["a", "b", "c"]
    assert [count for (count,) in db.run("SELECT count(*) FROM dflint.event WHERE kind = 'done' GROUP BY ord")] == [
        1
    ] * 3


def test_13_a_crash_of_the_server_in_a_transaction_loses_it_as_a_whole(cluster: Cluster, tmp_path: Path) -> None:
    db = database(cluster, tmp_path)
    with gate(db) as waiting:
        execution = db.start(db.save(plan_of(db.major, step(A), gated(B), step(C))), "--yes")
        until(waiting, "the second step")
        os.kill(db.executor() or 0, signal.SIGKILL)
        ended = execution.result()
        with pytest.raises(psycopg.OperationalError):
            waiting()
    assert ended.status == 130, ended.stderr
    assert tables(db) == ["a"]
    assert db.execute("resume").status == 0
    assert tables(db) == ["a", "b", "c"]


def test_13_a_crash_of_the_server_while_it_builds_an_index_is_repaired(cluster: Cluster, tmp_path: Path) -> None:
    db = database(cluster, tmp_path)
    db.run("CREATE TABLE t (i int)")
    writer = db.connect(autocommit=False)
    writer.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    writer.execute("SELECT 1")
    path = db.save(plan_of(db.major, step("CREATE INDEX CONCURRENTLY t_i ON t (i)", "nontx")))
    execution = db.start(path, "--yes")
    until(lambda: db.indexes("t") == {"t_i": False}, "the build")
    until(lambda: db.one("SELECT indisready FROM pg_index WHERE indexrelid = 't_i'::regclass"), "the third phase")
    os.kill(db.executor() or 0, signal.SIGKILL)
    assert execution.result().status == 130
    writer.close()
    ended = db.execute("resume")
    assert ended.status == 0, ended.stderr
    assert "repairing" in ended.stderr
    assert db.indexes("t") == {"t_i": True}


def test_72_a_server_that_is_gone_leaves_the_run_to_be_resumed(cluster: Cluster, tmp_path: Path) -> None:
    db = database(cluster, tmp_path)
    path = db.save(plan_of(db.major, step(A), gated(B), step(C)))
    with gate(db) as waiting:
        execution = db.start(path, "--yes")
        until(waiting, "the second step")
        cluster.stop("immediate")
        ended = execution.result()
    assert ended.status == 130, ended.stderr
    assert "cannot be reached" in ended.stderr
    refused = db.execute("resume")
    assert refused.status == 2, refused.stderr
    cluster.start()
    assert tables(db) == ["a"]
    ended = db.execute("resume")
    assert ended.status == 0, ended.stderr
    assert tables(db) == ["a", "b", "c"]


@pytest.mark.majors(18)
def test_72_a_password_need_not_be_told_and_may_change(db: Database, tmp_path: Path) -> None:
    """Through PGPASSWORD and a password file; nothing of it is in arguments, journal or ledger."""
    with Cluster(db.major, settings={"autovacuum": "off"}) as cluster:
        own = database(cluster, tmp_path)
        own.run("ALTER ROLE postgres PASSWORD 'first-secret'")
        hba = cluster.data / "pg_hba.conf"
        hba.write_text("local all all scram-sha-256\n")
        path = own.save(plan_of(own.major, step(A), gated(B), step(C)))
        with gate(own) as waiting:
            own.run("SELECT pg_reload_conf()")
            execution = own.start(path, "--yes", environment={"PGPASSWORD": "first-secret"})
            until(waiting, "the second step")
            gatekeeper = psycopg.connect(own.dsn, password="first-secret", autocommit=True)
            gatekeeper.execute("ALTER ROLE postgres PASSWORD 'second-secret'")
            gatekeeper.execute("SELECT pg_terminate_backend(backend_pid) FROM dflint.lease WHERE held")
            ended = execution.result()
        assert ended.status == 130, ended.stderr
        refused = own.execute("resume", environment={"PGPASSWORD": "first-secret"})
        assert refused.status == 2
        passfile = tmp_path / "pgpass"
        passfile.write_text("*:*:*:*:second-secret\n")
        passfile.chmod(0o600)
        resumed = own.execute("resume", environment={"PGPASSFILE": str(passfile)})
        assert resumed.status == 0, resumed.stderr
        rows = gatekeeper.execute("SELECT plan::text || target::text FROM dflint.run").fetchall()
        rows += gatekeeper.execute("SELECT detail::text FROM dflint.event").fetchall()
        gatekeeper.close()
    written = "".join(file.read_text() for file in tmp_path.rglob("*.jsonl"))
    told = "".join(ran.stdout + ran.stderr for ran in (ended, refused, resumed))
    assert "secret" not in f"{written}{rows}{told}"


@pytest.mark.exhaustive
@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of one megabyte can be mounted by root only")
def test_70_a_full_disk_fails_the_build_once_and_leaves_nothing(cluster: Cluster, tmp_path: Path) -> None:
    db = database(cluster, tmp_path)
    small = Path(cluster.folder) / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0777", "tmpfs", str(small)], check=True)
    try:
        space = small / "space"
        space.mkdir()
        owner = cluster.data.stat()
        os.chown(space, owner.st_uid, owner.st_gid)
        db.run(f"CREATE TABLESPACE small LOCATION '{space}'")
        db.run("CREATE TABLE t (i int, x text); INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 50000) i")
        path = db.save(plan_of(db.major, step("CREATE INDEX CONCURRENTLY t_x ON t (x) TABLESPACE small", "nontx")))
        ended = db.execute(path, "--yes")
        assert ended.status == 12, ended.stderr
        assert "(53100)" in ended.stderr
        assert kinds(db.folder).count("attempt") == 1
        assert db.indexes("t") == {}
        db.run("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
