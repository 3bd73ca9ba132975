"""Which histories a user's paths stand for, on a real file system."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dflint.app.discovery import History, discover, discover_text, load_sources
from dflint.model.errors import DflintError, InputError, SourceError
from dflint.plugin import Source
from dflint_sources import dflint_sources


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return load_sources(dflint_sources())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The repository ends here, so that nothing above the temporary directory is looked at.
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def shown(histories: list[History]) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    return [(one.directory.path, one.runner.name, one.files, tuple(sorted(one.selected))) for one in histories]


GOOSE = "-- +goose Up\nSELECT 1;\n"


def test_what_no_runner_claims_is_plain_psql_one_history_for_each_folder(here: Path, sources: list[Source]) -> None:
    put(here, {"a/2.sql": "", "a/10.sql": "", "a/b/1.sql": "", "c/readme.md": ""})
    found = discover(["."], sources)
    assert shown(found) == [
        ("a", "psql", ("2.sql", "10.sql"), ("10.sql", "2.sql")),
        ("a/b", "psql", ("1.sql",), ("1.sql",)),
    ]
    assert found[0].runner.assumed
    assert found[0].path("2.sql") == "a/2.sql"


def test_a_claim_covers_its_files_and_what_else_lies_there_is_still_found(here: Path, sources: list[Source]) -> None:
    put(here, {"m/1_a.sql": GOOSE, "m/seed.sql": "", "m/sub/1.sql": ""})
    found = discover(["m"], sources)
    assert shown(found) == [("m", "goose", ("1_a.sql",), ("1_a.sql",)), ("m/sub", "psql", ("1.sql",), ("1.sql",))]
    assert found[0].ignored == ("seed.sql",)


def test_folders_a_runner_covers_are_not_walked(here: Path, sources: list[Source]) -> None:
    put(
        here,
        {"sqitch.plan": "%project=x\na 2024 A <a>\n", "deploy/a.sql": "", "verify/a.sql": "", "deploy/old.sql": ""},
    )
    assert [one[:2] for one in shown(discover(["."], sources))] == [(".", "sqitch")]


def test_a_file_selects_itself_in_the_whole_history(here: Path, sources: list[Source]) -> None:
    put(here, {"m/1_a.sql": GOOSE, "m/2_b.sql": "SELECT 2;"})
    found = discover(["m/2_b.sql"], sources)
    assert shown(found) == [("m", "goose", ("1_a.sql", "2_b.sql"), ("2_b.sql",))]
    assert found[0].last_selected == 1
    assert discover(["m/1_a.sql"], sources)[0].last_selected == 0


def test_a_file_finds_its_history_up_to_three_folders_above(here: Path, sources: list[Source]) -> None:
    put(
        here,
        {
            "p/migrations/migration_lock.toml": "",
            "p/migrations/1_a/migration.sql": "",
            "p/migrations/2_b/migration.sql": "",
        },
    )
    found = discover(["p/migrations/2_b/migration.sql"], sources)
    assert shown(found) == [
        ("p/migrations", "prisma", ("1_a/migration.sql", "2_b/migration.sql"), ("2_b/migration.sql",))
    ]
    assert found[0].place("2_b/migration.sql").path == "p/migrations/2_b"


def test_a_folder_inside_a_history_selects_its_part(here: Path, sources: list[Source]) -> None:
    put(
        here,
        {
            "sqitch.plan": "%project=x\nb 2024 A <a>\na 2024 A <a>\n",
            "deploy/a.sql": "",
            "deploy/b.sql": "",
            "revert/a.sql": "",
        },
    )
    found = discover(["deploy"], sources)
    assert shown(found) == [
        (".", "sqitch", ("deploy/b.sql", "deploy/a.sql", "revert/a.sql"), ("deploy/a.sql", "deploy/b.sql"))
    ]


def test_the_same_folder_by_several_paths_is_one_history(here: Path, sources: list[Source]) -> None:
    put(here, {"m/1_a.sql": "", "m/2_b.sql": "", "m/3_c.sql": ""})
    found = discover(["m/3_c.sql", "m/1_a.sql", "./m/1_a.sql"], sources)
    assert shown(found) == [("m", "psql", ("1_a.sql", "2_b.sql", "3_c.sql"), ("1_a.sql", "3_c.sql"))]
    assert len(discover(["m", "m/../m", "m/1_a.sql"], sources)) == 1


def test_a_file_that_the_runner_leaves_out_stands_for_itself(here: Path, sources: list[Source]) -> None:
    put(here, {"m/1_a.sql": GOOSE, "m/seed.sql": "SELECT 1;"})
    found = discover(["m/seed.sql"], sources)
    assert shown(found) == [("m", "psql", ("seed.sql",), ("seed.sql",))]
    assert "goose" in found[0].runner.reason


def test_a_file_of_another_ending_is_judged_when_given(here: Path, sources: list[Source]) -> None:
    put(here, {"m/dump.psql": "SELECT 1;", "m/1_a.sql": ""})
    assert shown(discover(["m/dump.psql"], sources)) == [("m", "psql", ("dump.psql",), ("dump.psql",))]


def test_the_user_may_name_the_runner(here: Path, sources: list[Source]) -> None:
    put(here, {"m/2_b.sql": "", "m/1_a.sql": GOOSE, "x/1_a.sql": ""})
    found = discover(["m"], sources, ("sqlx", "0.8"))
    assert shown(found) == [("m", "sqlx", ("1_a.sql", "2_b.sql"), ("1_a.sql", "2_b.sql"))]
    assert (found[0].runner.version, found[0].runner.assumed) == ("0.8", False)
    assert shown(discover(["m/2_b.sql"], sources, ("sqlx", None)))[0][3] == ("2_b.sql",)


def test_an_unknown_runner_is_an_error_that_lists_the_known(here: Path, sources: list[Source]) -> None:
    with pytest.raises(InputError) as caught:
        discover(["."], sources, ("gosse", None))
    assert "goose" in str(caught.value)


def test_hidden_and_foreign_folders_are_walked_only_when_given(here: Path, sources: list[Source]) -> None:
    put(
        here,
        {f"{name}/1.sql": "" for name in (".hidden", "node_modules", "vendor", "env")}
        | {"env/pyvenv.cfg": "", "ok/1.sql": ""},
    )
    assert [one.directory.path for one in discover(["."], sources)] == ["ok"]
    assert [one.directory.path for one in discover(["vendor", "env", ".hidden"], sources)] == [
        "vendor",
        "env",
        ".hidden",
    ]


def test_a_folder_named_sql_is_a_folder(here: Path, sources: list[Source]) -> None:
    put(here, {"m/fix.sql/1_a.sql": "", "m/2_b.sql": ""})
    assert shown(discover(["m"], sources)) == [
        ("m", "psql", ("2_b.sql",), ("2_b.sql",)),
        ("m/fix.sql", "psql", ("1_a.sql",), ("1_a.sql",)),
    ]


def test_links_in_a_circle_end(here: Path, sources: list[Source]) -> None:
    put(here, {"m/1.sql": ""})
    (here / "m" / "self").symlink_to(here / "m", target_is_directory=True)
    (here / "again").symlink_to(here / "m", target_is_directory=True)
    assert len(discover(["."], sources)) == 1


def test_a_link_that_leads_nowhere_is_an_error_when_it_is_read(here: Path, sources: list[Source]) -> None:
    (here / "1.sql").symlink_to(here / "gone.sql")
    found = discover(["."], sources)
    with pytest.raises(SourceError) as caught:
        found[0].read("1.sql")
    assert caught.value.file == "1.sql"
    assert caught.value.remedy


def test_a_missing_path_is_an_error_naming_it(here: Path, sources: list[Source]) -> None:
    with pytest.raises(InputError) as caught:
        discover(["nowhere.sql"], sources)
    assert caught.value.file == "nowhere.sql"
    assert caught.value.remedy


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root reads everything, so give its rights up for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_folder_that_cannot_be_listed_is_reported_and_the_rest_found(
    sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[DflintError] = []
    # Not in tmp_path, which nobody but its owner may enter.
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        monkeypatch.chdir(folder)
        put(Path(folder), {"a/1.sql": "", "b/1.sql": ""})
        Path("a").chmod(0)
        try:
            with ordinary_user():
                found = discover(["."], sources, on_error=errors.append)
                with pytest.raises(SourceError):
                    discover(["."], sources)
        finally:
            Path("a").chmod(0o755)
            os.chdir("/")
    assert [one.directory.path for one in found] == ["b"]
    assert [one.file for one in errors] == ["a"]


def test_text_given_for_a_file_that_does_not_exist_yet_takes_its_place_in_the_order(
    here: Path, sources: list[Source]
) -> None:
    put(here, {"m/1_a.sql": GOOSE, "m/3_c.sql": GOOSE})
    found = discover_text(b"SELECT 7;", "m/2_b.sql", sources)
    assert shown([found]) == [("m", "goose", ("1_a.sql", "2_b.sql", "3_c.sql"), ("2_b.sql",))]
    assert found.read("2_b.sql") == b"SELECT 7;"
    assert found.read("1_a.sql") == GOOSE.encode()


def test_text_given_for_a_file_is_taken_instead_of_the_file(here: Path, sources: list[Source]) -> None:
    put(here, {"m/1_a.sql": "SELECT 1;"})
    found = discover_text(GOOSE.encode(), "m/1_a.sql", sources)
    assert found.runner.name == "goose"
    assert found.read("1_a.sql") == GOOSE.encode()


def test_text_for_a_place_that_does_not_exist_stands_alone(here: Path, sources: list[Source]) -> None:
    found = discover_text(b"SELECT 8;", "new/x.sql", sources)
    assert shown([found]) == [("new", "psql", ("x.sql",), ("x.sql",))]


def test_text_without_a_name(here: Path, sources: list[Source]) -> None:
    put(here, {"1_a.sql": ""})
    found = discover_text(b"SELECT 9;", None, sources)
    assert shown([found]) == [(".", "psql", ("<stdin>",), ("<stdin>",))]
    assert found.path("<stdin>") == "<stdin>"
    assert found.read("<stdin>") == b"SELECT 9;"
    assert discover_text(b"", None, sources, ("goose", None)).runner.name == "goose"


def test_paths_are_printed_relative_to_the_working_directory(
    here: Path, sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(here, {"deep/m/1.sql": ""})
    assert discover([str(here / "deep")], sources)[0].path("1.sql") == "deep/m/1.sql"
    monkeypatch.chdir(here / "deep" / "m")
    assert discover(["."], sources)[0].path("1.sql") == "1.sql"
    assert discover(["../m/1.sql"], sources)[0].path("1.sql") == "1.sql"
    monkeypatch.chdir(here / ".git")
    assert discover(["../deep"], sources)[0].path("1.sql") == "../deep/m/1.sql"


def test_supabase_is_known_from_inside_its_folder(
    here: Path, sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(here, {"supabase/migrations/20240101000000_a.sql": ""})
    monkeypatch.chdir(here / "supabase" / "migrations")
    assert [one.runner.name for one in discover(["."], sources)] == ["supabase"]


def test_a_marker_in_the_migrations_outweighs_a_lock_file_beside_them(here: Path, sources: list[Source]) -> None:
    put(here, {"m/1_a.sql": GOOSE, "m/atlas.sum": ""})
    assert [one.runner.name for one in discover(["m"], sources)] == ["goose"]


def test_a_thousand_folders_are_walked_quickly(here: Path, sources: list[Source]) -> None:
    put(here, {f"migrations/{20240101000000 + n}_x/migration.sql": "SELECT 1;" for n in range(1000)})
    start = time.process_time()
    found = discover(["."], sources)
    assert time.process_time() - start < 0.5
    assert len(found) == 1
    assert len(found[0].files) == 1000
