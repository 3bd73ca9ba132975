"""``dflint trace -- COMMAND`` with real Alembic and Django projects."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from dflint.model.trace import Trace
from tests.cli.running import spawn
from tests.trace.recording import groups, trace

# --- Alembic ----------------------------------------------------------------------------------------------------------

ALEMBIC_INI = """
[alembic]
script_location = migrations
"""

ENV = """
import os
from alembic import context
from sqlalchemy import create_engine, pool

engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration={per_migration})
    with context.begin_transaction():
        context.run_migrations()
"""

REVISIONS = {
    "a1": (
        "None",
        "op.create_table('users', sa.Column('id', sa.Integer, primary_key=True), sa.Column('name', sa.Text))",
    ),
    "b2": (
        "'a1'",
        """op.add_column('users', sa.Column('email', sa.String(50)))
    with op.get_context().autocommit_block():
        op.create_index('users_email', 'users', ['email'], postgresql_concurrently=True)
        op.execute("ALTER TABLE users SET (fillfactor = 90)")
    op.alter_column('users', 'email', type_=sa.Text)""",
    ),
    "c3": ("'b2'", "op.execute('ALTER TABLE users ALTER id TYPE bigint; ALTER TABLE users ALTER name SET NOT NULL')"),
}


def alembic_project(path: Path, *, per_migration: bool) -> Path:
    versions = path / "migrations" / "versions"
    versions.mkdir(parents=True)
    (path / "alembic.ini").write_text(ALEMBIC_INI)
    (path / "migrations" / "env.py").write_text(ENV.format(per_migration=per_migration))
    for revision, (down, body) in REVISIONS.items():
        (versions / f"{revision}_x.py").write_text(
            dedent(f"""
            from alembic import op
            import sqlalchemy as sa
            revision = '{revision}'
            down_revision = {down}

            def upgrade():
            """)
            + f"    {body}\n"
        )
    return path


def upgrade(path: Path, *options: str) -> Trace:
    ran, found = trace(path, *options, "--", sys.executable, "-m", "alembic", "upgrade", "head")
    assert ran.status == 0, ran.stderr
    assert found is not None
    return found


TOGETHER = [
    ("explicit", "committed", ["CREATE TABLE users", "ALTER TABLE users"]),
    ("autocommit", "committed", ["CREATE INDEX CONCURRENTLY"]),
    ("autocommit", "committed", ["ALTER TABLE users"]),
    ("explicit", "committed", ["ALTER TABLE users", "ALTER TABLE users", "ALTER TABLE users"]),
]

EACH = [
    ("explicit", "committed", ["CREATE TABLE users"]),
    ("explicit", "committed", ["ALTER TABLE users"]),
    ("autocommit", "committed", ["CREATE INDEX CONCURRENTLY"]),
    ("autocommit", "committed", ["ALTER TABLE users"]),
    ("explicit", "committed", ["ALTER TABLE users"]),
    ("explicit", "committed", ["ALTER TABLE users", "ALTER TABLE users"]),
]


def test_alembic_runs_all_revisions_in_one_transaction(tmp_path: Path) -> None:
    found = upgrade(alembic_project(tmp_path, per_migration=False))
    assert groups(found.transactions) == TOGETHER
    labels = [transaction.label for transaction in found.transactions]
    assert labels[-5:] == ["a1", "b2", "b2", "b2", "b2, c3"]


def test_alembic_with_a_transaction_for_each_revision(tmp_path: Path) -> None:
    found = upgrade(alembic_project(tmp_path, per_migration=True), "--no-observe")
    assert groups(found.transactions) == EACH
    labels = [t.label for t in found.transactions if any(each.role == "bookkeeping" for each in t.statements)]
    assert list(dict.fromkeys(labels)) == ["a1", "b2", "c3"]


def test_what_was_observed_of_alembic(tmp_path: Path) -> None:
    found = upgrade(alembic_project(tmp_path, per_migration=True))
    statements = [each for t in found.transactions for each in t.statements if each.role == "migration"]
    widened = next(each for each in statements if "TYPE bigint" in each.sql)
    assert widened.locks is not None
    assert widened.locks["table:public.users"] == widened.locks["index:public.users_pkey"] == "ACCESS EXCLUSIVE"
    assert widened.rewrites == ("table:public.users",)
    assert widened.index_rebuilds == ("index:public.users_email", "index:public.users_pkey")
    concurrently = next(each for each in statements if "CONCURRENTLY" in each.sql)
    assert concurrently.transaction == "refused"


def test_lint_and_effects_take_the_trace(tmp_path: Path) -> None:
    upgrade(alembic_project(tmp_path, per_migration=True), "--no-observe")
    file = ".dflint/trace.json"
    linted = spawn("lint", "--format", "json", "--no-cache", file, cwd=tmp_path)
    assert linted.status == 1, linted.stderr
    report = json.loads(linted.stdout)
    assert report["runner"]["name"] == "trace"
    rewrites = [each for each in report["findings"] if "TYPE bigint" in line(tmp_path / file, each["line"])]
    assert rewrites
    for each in rewrites:
        # The place is inside the statement's text in the trace file.
        text = line(tmp_path / file, each["line"])
        assert "TYPE bigint" in text[each["column"] - 1 : each["end_column"] - 1]
    effects = spawn("effects", "--format", "json", file, cwd=tmp_path)
    assert effects.status == 0, effects.stderr
    kinds = [each["operations"] for each in json.loads(effects.stdout)["statements"]]
    assert ["create_index"] in kinds


def line(file: Path, number: int) -> str:
    return file.read_text().splitlines()[number - 1]


# --- Django -----------------------------------------------------------------------------------------------------------

SETTINGS = """
import os
from urllib.parse import urlsplit

to = urlsplit(os.environ["DATABASE_URL"])
SECRET_KEY = "x"
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql", "HOST": to.hostname, "PORT": to.port, "USER": to.username,
        "PASSWORD": to.password, "NAME": to.path[1:],
    }
}
"""

MIGRATIONS = {
    "0001_initial": """
class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel("Item", fields=[
            ("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=20, unique=True))]),
    ]
""",
    "0002_index": """
class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_initial")]
    operations = [
        AddIndexConcurrently("item", models.Index(fields=["name"], name="item_name")),
        migrations.RunSQL("ALTER TABLE shop_item ADD a int; ALTER TABLE shop_item ADD b int"),
        migrations.RunPython(fill, migrations.RunPython.noop, atomic=True),
    ]
""",
    "0003_rename": """
class Migration(migrations.Migration):
    dependencies = [("shop", "0002_index")]
    operations = [
        migrations.RenameField("item", "name", "title"),
        migrations.AddField("item", "other", models.ForeignKey("shop.Item", models.CASCADE, null=True)),
    ]
""",
}

HEAD = """
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


def fill(apps, schema_editor):
    apps.get_model("shop", "Item").objects.update(name="x")
"""


def django_project(path: Path) -> Path:
    migrations = path / "shop" / "migrations"
    migrations.mkdir(parents=True)
    (path / "settings.py").write_text(SETTINGS)
    for package in (path / "shop", migrations):
        (package / "__init__.py").touch()
    for name, body in MIGRATIONS.items():
        (migrations / f"{name}.py").write_text(HEAD + body)
    return path


def test_django(tmp_path: Path) -> None:
    ran, found = trace(
        django_project(tmp_path),
        "--",
        sys.executable,
        "-m",
        "django",
        "migrate",
        DJANGO_SETTINGS_MODULE="settings",
        PYTHONPATH=str(tmp_path),
    )
    assert ran.status == 0, ran.stderr
    assert found is not None
    assert groups(found.transactions) == [
        ("explicit", "committed", ["CREATE TABLE shop_item", "CREATE INDEX shop_item_name_c85f6249_like"]),
        ("autocommit", "committed", ["CREATE INDEX CONCURRENTLY"]),
        # Django does not split a string of SQL.
        ("implicit", "committed", ["ALTER TABLE shop_item", "ALTER TABLE shop_item"]),
        ("explicit", "committed", ["UPDATE shop_item SET"]),
        (
            "explicit",
            "committed",
            ["ALTER TABLE shop_item", "ALTER TABLE shop_item", "CREATE INDEX shop_item_other_id_828f2923"],
        ),
    ]
    assert {each.role for t in found.transactions for each in t.statements} == {
        "migration",
        "bookkeeping",
        "control",
        "noise",
    }
    labels = dict.fromkeys(transaction.label for transaction in found.transactions if transaction.label)
    assert list(labels) == ["shop.0001_initial", "shop.0002_index", "shop.0003_rename"]
    # Each migration is a change of its own: the index of the second is not one on a new table.
    linted = spawn("lint", "--format", "json", "--no-cache", ".dflint/trace.json", cwd=tmp_path)
    assert {each["rule"] for each in json.loads(linted.stdout)["findings"]} & {"rename-column"}


# --- commands as such -------------------------------------------------------------------------------------------------

SCRIPT = """
import os, sys, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("CREATE TABLE t (i int)")
    print("said to stdout")
    print("said to stderr", file=sys.stderr)
sys.exit(7)
"""


def test_the_exit_status_and_the_streams_of_the_command_pass_through(tmp_path: Path) -> None:
    ran, found = trace(tmp_path, "--", sys.executable, "-c", SCRIPT)
    assert ran.status == 7
    assert found is not None
    assert found.exit_status == 7
    assert ran.stdout.startswith("said to stdout\n")
    assert "said to stderr\n" in ran.stderr
    assert "exit status 7" in ran.stdout


@pytest.mark.parametrize("options", [("--format", "json"), ("-o", "-")])
def test_with_json_on_stdout_the_command_speaks_on_stderr(tmp_path: Path, options: tuple[str, ...]) -> None:
    ran, _ = trace(tmp_path, "--no-observe", *options, "--", sys.executable, "-c", SCRIPT)
    document = json.loads(ran.stdout)
    assert (document["format"], document["schema_version"]) == ("dflint-trace", 1)
    assert "said to stdout\n" in ran.stderr
    assert ran.status == 7


def test_the_environment_names_no_other_database(tmp_path: Path) -> None:
    code = "import os, sys; print(sorted(k for k in os.environ if k.startswith('PG') or k in ('A', 'DATABASE_URL')))"
    ran, _ = trace(
        tmp_path, "--env", "A=jdbc://{host}:{port}/{database}", "--", sys.executable, "-c", code, PGSERVICE="production"
    )
    expected = "A DATABASE_URL PGDATABASE PGHOST PGPASSWORD PGPORT PGSSLMODE PGUSER".split()
    assert ran.stdout.splitlines()[0] == str(expected)
    assert ran.status == 3
    assert "sent nothing to the scratch server" in ran.stderr


def test_the_port_asks_for_a_password(tmp_path: Path) -> None:
    code = """
import os, psycopg
try:
    psycopg.connect(os.environ["DATABASE_URL"], password="guessed")
except psycopg.OperationalError as error:
    print("refused" if "password authentication failed" in str(error) else error)
"""
    ran, _ = trace(tmp_path, "--", sys.executable, "-c", code)
    assert ran.stdout.splitlines()[0] == "refused"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give either migration files or, after --, a command"),
        (("--db", "dbname=x", "--", "true"), "--db is for files"),
        (("--schema", "a", "--history", "b", "--", "true"), "contradict each other"),
        (("--env", "x", "--", "true"), "is not NAME=VALUE"),
        (("--env", "X={what}", "--", "true"), "unknown place holder"),
        (("--", "no-such-program-at-all"), "cannot be run"),
    ],
)
def test_wrong_use(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    ran, found = trace(tmp_path, *arguments)
    assert ran.status == 2
    assert message in ran.stderr
    assert found is None
    assert not os.listdir(tmp_path)
