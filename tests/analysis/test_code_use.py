"""Uses in programs: SQL files, strings of Python, mapped classes; and files that nobody should trip over."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from dflint.app.code import code_uses
from dflint.app.impact import ImpactAnalysis, requested
from dflint.app.snapshot import read_live
from dflint.cli.main import main
from dflint.model.uses import CodeUses
from tests.servers import TestServer

pytestmark = pytest.mark.majors("newest")

SCHEMA = """
CREATE SCHEMA sales;
CREATE TABLE users (id int PRIMARY KEY, email text, name text);
CREATE TABLE orders (id int, email text, user_id int REFERENCES users);
CREATE TABLE sales.orders (id int, email text);
CREATE TABLE shop_user (id int, email text, boss_id int);
CREATE TABLE "say""hi" (id int, "O'Brien" text);
CREATE VIEW emails AS SELECT email FROM users;
CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql RETURN upper($1);
"""
Search = Callable[..., CodeUses]


@pytest.fixture
def search(pg: TestServer, tmp_path: Path) -> Search:
    dsn = pg.new_database()
    with psycopg.connect(dsn) as connection:
        connection.execute(SCHEMA)
    analysis = ImpactAnalysis(asyncio.run(read_live(dsn)))

    def search(change: str, content: str | bytes = b"", name: str = "a.py") -> CodeUses:
        if content:
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        command, *words = change.split()
        impact = analysis.of(requested(command, tuple(words)))
        return code_uses(impact, (str(tmp_path),), analysis.catalog, ("public",))

    return search


def places(found: CodeUses) -> list[tuple[int, int, str]]:
    assert found.unread == ()
    return [(use.line, use.column, use.certainty) for use in found.uses]


EMAIL = "rename-column users email mail"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('run("SELECT email FROM users WHERE id = %s")', [(1, 13, "certain")]),
        ('run("SELECT email FROM users WHERE id = %(id)s AND name = :name")', [(1, 13, "certain")]),
        ('run("SELECT id FROM users WHERE email = ?")', [(1, 33, "certain")]),
        ("run(\"SELECT id FROM users WHERE email LIKE '%%x'\")", [(1, 33, "certain")]),
        ('run("SELECT * FROM users")', [(1, 13, "certain")]),
        ('run("""\n  UPDATE users\n     SET email = %s""")', [(3, 10, "certain")]),
        ('run("SELECT id, "\n    "email FROM users")', [(2, 6, "certain")]),
        ('run("SELECT " + "email" + " FROM users")', [(1, 18, "certain")]),
        ('run("größe", "SELECT email FROM users")', [(1, 22, "certain")]),
        ('run(f"SELECT email FROM users WHERE id = {number}")', [(1, 14, "likely")]),
        ("run(f\"SELECT {columns} FROM users WHERE email = '{x}' ORDER BY id {way}\")", [(1, 41, "likely")]),
        ('run("SELECT email FROM users WHERE id = {}".format(x))', [(1, 13, "likely")]),
        ('run("SELECT email FROM users WHERE " + condition)', [(1, 13, "likely")]),
        ('run("SELECT email FROM users u WHERE WHERE")', [(1, 13, "possible")]),
        ('where("email = %s AND id > 3")', [(1, 8, "possible")]),
        ('join("LEFT JOIN users u ON u.email = x.email")', [(1, 30, "likely")]),
        ('columns = ["id", "email"]', [(1, 18, "possible")]),
        ('key = "users.email"', [(1, 7, "likely")]),
        ('op.drop_column("users", "email")', [(1, 25, "certain")]),
        ('op.drop_column("orders", "email")', [(1, 26, "possible")]),
        ('Table("users", metadata, Column("email", Text))', [(1, 33, "certain")]),
        ('run("SELECT email FROM orders")', []),
        ('run("SELECT id FROM users") # email', []),
        ('"""SELECT email FROM users"""\ndef f():\n    """users.email"""', []),
        ('print("Please give the email of users")', []),
        ("run(\"SELECT 'email', id FROM users\")", []),
        ("email = users.email", []),
    ],
)
def test_uses_of_a_column_in_python(search: Search, code: str, expected: list[tuple[int, int, str]]) -> None:
    assert places(search(EMAIL, code)) == expected


MODELS = """
class User(Base):
    __tablename__ = "users"
    __table_args__ = ({index}, {{"schema": {schema}}})
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    shown = Column("name", Text)
    orders = relationship("Order")

session.query(User).filter(User.email == 1, User.orders)
User(email=2, shown=3)
"""


def test_mapped_classes_of_sqlalchemy(search: Search) -> None:
    code = MODELS.format(index='Index("x", "id")', schema='"public"')
    assert places(search(EMAIL, code)) == [(6, 5, "certain"), (10, 28, "likely"), (11, 6, "likely")]
    assert places(search("rename-column users name title")) == [(7, 20, "certain"), (11, 15, "likely")]
    assert places(search("rename-table users people")) == [(3, 21, "certain")]
    elsewhere = MODELS.format(index="", schema='"sales"').replace("(, {", "({")
    found = search("rename-table users people", elsewhere)
    assert [use.certainty for use in found.uses] == ["possible"]


def test_models_of_django(search: Search) -> None:
    code = """
class User(models.Model):
    email = models.TextField()
    boss = models.ForeignKey("self", on_delete=models.CASCADE)

class Buyer(models.Model):
    mail = models.TextField(db_column="email")
    class Meta:
        db_table = "users"

User.objects.filter(email__startswith="a").order_by("id")
"""
    assert places(search("drop-column shop_user email", code, "shop/models.py")) == [
        (3, 5, "likely"),
        (7, 39, "possible"),
        (11, 21, "likely"),
    ]
    assert places(search("drop-column shop_user boss_id")) == [(4, 5, "likely")]
    assert places(search(EMAIL)) == [(7, 39, "certain")]
    assert places(search("drop-table shop_user")) == [(2, 1, "likely")]


def test_sql_files(search: Search) -> None:
    text = "-- email\nSELECT 'users.email';  SELECT id,\n  email FROM users;\nDELETE FROM users WHERE email = '';\n"
    found = search(EMAIL, text, "a.sql")
    assert places(found) == [(3, 3, "certain"), (4, 25, "certain")]
    assert found.uses[0].text == "SELECT id, email FROM users"
    (use,) = search("drop-function shout(text)", "SELECT\n shout(name) FROM users;", "a.sql").uses
    assert (use.line, use.column, use.identity) == (2, 2, 'function:public."shout(text)"')


def test_names_with_quotes_are_found(search: Search) -> None:
    code = """run('SELECT "O\\'Brien" FROM "say""hi"')"""
    (use,) = search("""drop-column "say""hi" "O'Brien\"""", code).uses
    assert (use.identity, use.certainty) == ("""column:public."say""hi".O'Brien""", "certain")


def test_what_goes_with_it_is_searched_too(search: Search) -> None:
    (use,) = search("drop-column users email", 'run("SELECT email FROM emails")').uses
    assert use.identity == "view:public.emails"


def test_directories_that_are_not_the_programs(search: Search, tmp_path: Path) -> None:
    for folder in (".git", "node_modules", "env/lib", "__pycache__", "x/site-packages"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.py").write_text('"".join(["users"])')
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    found = search("drop-table users", 'TABLE = "users"', "src/a.py")
    assert [(Path(use.file).name, use.certainty) for use in found.uses] == [("a.py", "possible")]
    assert found.looked_at == 1


def test_what_cannot_be_read_is_named(search: Search, tmp_path: Path) -> None:
    files = {
        "old.py": b'print "SELECT email FROM users"',
        "nul.py": b'x = "users\0"',
        "latin.py": b'x = "\xe9users"',
        "coded.py": b"# coding: nonsense\n",
        "nul.sql": b"SELECT 1\0;",
        "bad.sql": b"SELECT email FROM users WHERE WHERE;",
        "deep.py": b"users = " + b"(" * 5_000 + b"1" + b")" * 5_000,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.py")
    found = search(EMAIL)
    assert {Path(each.file).name for each in found.unread} == {*files, "gone.py", "pipe.py"}
    assert all(each.reason for each in found.unread)


def test_hostile_programs(search: Search) -> None:
    code = "\n".join(
        [
            "x = " + " + ".join(['"users"'] * 800),
            'y = f"{users!r:{width}}" "SELECT email FROM users \\ud800"',
            'z = "SELECT email FROM users\\0 WHERE"',
            'w = f"SELECT {a}{b}{c}{d}{e} email {f} FROM users {g}{h}"',
            'v = "SELECT \\x65mail FROM users"',
            'u = b"SELECT email FROM users"',
            't = "SELECT email FROM users WHERE " + "(" * 10000',
            's = "SELECT email FROM users WHERE ' + "(" * 20_000 + '"',
            "class users: email = users.email = 'users'",
        ]
    )
    found = search(EMAIL, code)
    assert found.unread == ()
    assert {use.line for use in found.uses} >= {5, 7}


def test_the_command_line(pg: TestServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = pg.new_database()
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE users (id int, email text)")
    file = tmp_path / "a.py"
    file.write_text('x = "email"\n')
    arguments = ["impact", "drop-column", "users", "email", "--db", dsn, "--code", str(tmp_path)]
    assert main(arguments) == 0
    assert f"{file}:1:5, possible: column:public.users.email" in capsys.readouterr().out
    file.write_text('x = "SELECT email FROM users"\n')
    assert main(arguments) == 1
    assert main([*arguments[:1], "drop-not-null", *arguments[2:]]) == 0
    capsys.readouterr()
    assert main([*arguments, "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    (use,) = document["code"]["uses"]
    assert (use["file"], use["line"], use["column"], use["certainty"]) == (str(file), 1, 13, "certain")
    file.write_text("email = (")
    assert main(arguments) == 2
    assert f"{file}: line 1: it is no Python of this version" in capsys.readouterr().err
    assert main([*arguments[:-1], str(tmp_path / "none")]) == 2
