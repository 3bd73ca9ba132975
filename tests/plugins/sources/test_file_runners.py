"""Runners that take whole files: psql, sqlx, golang-migrate, Diesel, Flyway."""

from __future__ import annotations

import re

import pytest

from tests.plugins.sources.memory import Cut, claim, cut, notices, sections, source, tree

INEFFECTIVE = "marker-without-effect"


class TestPsql:
    def test_claims_nothing(self) -> None:
        assert claim("psql", {"001_a.sql": "SELECT 1;", "002_b.sql": ""}) is None

    def test_numbers_in_names_are_numbers(self) -> None:
        names = ["10_c.sql", "9_b.sql", "009_a.sql", "z.sql", "1.10.sql", "1.9.sql", "notes.txt", "٣_x.sql"]
        found = source("psql").files(tree(dict.fromkeys(names, "")))
        assert found == ("1.9.sql", "1.10.sql", "009_a.sql", "9_b.sql", "10_c.sql", "z.sql", "٣_x.sql")

    def test_up_comes_before_down_and_longer_names_after_shorter(self) -> None:
        names = ["1_a.down.sql", "1_a.up.sql", "1_a2.up.sql", "2_b.sql"]
        found = source("psql").files(tree(dict.fromkeys(names, "")))
        assert found == ("1_a.up.sql", "1_a.down.sql", "1_a2.up.sql", "2_b.sql")

    @pytest.mark.parametrize(
        ("path", "direction"),
        [("1_a.up.sql", "up"), ("1_a.down.sql", "down"), ("x/down.sql", "down"), ("download.sql", "up")],
    )
    def test_down_files_are_known_by_name(self, path: str, direction: str) -> None:
        assert cut("psql", "SELECT 1;", path) == [Cut(direction, "none", "psql", "SELECT 1;")]


class TestSqlx:
    def test_one_string_in_a_transaction(self) -> None:
        assert cut("sqlx", "SELECT 1;") == [Cut("up", "section", "string", "SELECT 1;")]
        assert cut("sqlx", "SELECT 1;", "1_a.down.sql") == [Cut("down", "section", "string", "SELECT 1;")]

    def test_the_very_first_bytes_take_the_transaction_away(self) -> None:
        found = sections("sqlx", "-- no-transaction\nSELECT 1;").sections[0]
        assert (found.wrapping, found.wire) == ("none", "string")
        assert found.marker is not None
        assert (found.marker.start, found.marker.end) == (0, 17)

    @pytest.mark.parametrize(
        "text",
        ["\n-- no-transaction\n", "-- licence\n-- no-transaction\n", "--no-transaction\n", "-- NO-TRANSACTION\n"],
    )
    def test_anywhere_else_or_spelt_otherwise_it_has_no_effect(self, text: str) -> None:
        assert sections("sqlx", text).sections[0].wrapping == "section"
        assert [rule for rule, _ in notices("sqlx", text)] == [INEFFECTIVE]

    def test_a_byte_order_mark_spoils_it(self) -> None:
        found = sections("sqlx", "-- no-transaction\nSELECT 1;", had_bom=True)
        assert found.sections[0].wrapping == "section"
        assert "byte order mark" in found.notices[0].message

    @pytest.mark.parametrize(
        ("extra", "reason"),
        [
            ({"p/Cargo.toml": '[dependencies]\nsqlx = "0.8"\n'}, "Cargo.toml"),
            ({"p/Cargo.toml": "[workspace.dependencies.sqlx]\n"}, "Cargo.toml"),
            ({"p/sqlx.toml": ""}, "sqlx.toml"),
            ({"p/.sqlx/query-1.json": "{}"}, ".sqlx"),
            ({"p/migrations/2_b.sql": "-- no-transaction\n"}, "2_b.sql"),
        ],
    )
    def test_marks(self, extra: dict[str, str], reason: str) -> None:
        found = claim("sqlx", {"p/migrations/1_a.sql": "SELECT 1;"} | extra, "p/migrations")
        assert found is not None
        assert reason in found.runner.reason

    @pytest.mark.parametrize("extra", [{}, {"p/Cargo.toml": '[dependencies]\ndiesel = "2"\n# sqlx is not used\n'}])
    def test_no_marks(self, extra: dict[str, str]) -> None:
        assert (
            claim("sqlx", {"p/migrations/1_a.up.sql": "", "p/migrations/1_a.down.sql": ""} | extra, "p/migrations")
            is None
        )

    def test_a_dependency_does_not_claim_any_numbered_folder(self) -> None:
        files = {"p/Cargo.toml": '[dependencies]\nsqlx = "0.8"\n', "p/fixtures/1_a.sql": ""}
        assert claim("sqlx", files, "p/fixtures") is None

    def test_marks_count_three_directories_up_and_not_past_the_repository(self) -> None:
        near = {"Cargo.toml": "sqlx = '1'", "a/b/migrations/1_a.sql": ""}
        far = {"Cargo.toml": "sqlx = '1'", "a/b/c/migrations/1_a.sql": ""}
        other = {"Cargo.toml": "sqlx = '1'", "a/.git/HEAD": "", "a/migrations/1_a.sql": ""}
        assert claim("sqlx", near, "a/b/migrations") is not None
        assert claim("sqlx", far, "a/b/c/migrations") is None
        assert claim("sqlx", other, "a/migrations") is None


class TestGolangMigrate:
    PAIR = {"m/migrations/1_a.up.sql": "SELECT 1;", "m/migrations/1_a.down.sql": "SELECT 2;"}

    def test_no_transaction_and_one_string(self) -> None:
        assert cut("golang-migrate", "SELECT 1;", "1_a.up.sql") == [Cut("up", "none", "string", "SELECT 1;")]
        assert cut("golang-migrate", "SELECT 2;", "1_a.down.sql") == [Cut("down", "none", "string", "SELECT 2;")]

    def test_the_pair_of_names_alone_is_no_mark(self) -> None:
        assert claim("golang-migrate", self.PAIR, "m/migrations") is None

    def test_a_requirement_is_a_mark_unless_it_is_indirect(self) -> None:
        module = "module x\nrequire github.com/golang-migrate/migrate/v4 v4.17.0"
        found = claim("golang-migrate", self.PAIR | {"go.mod": module}, "m/migrations")
        assert found is not None
        assert found.runner.reason == "go.mod requires golang-migrate"
        assert found.files == ("1_a.up.sql", "1_a.down.sql")
        assert claim("golang-migrate", self.PAIR | {"go.mod": f"{module} // indirect"}, "m/migrations") is None

    def test_atlas_writing_its_format_is_a_mark(self) -> None:
        atlas = 'migration {\n dir = "file://m"\n format = golang-migrate\n}'
        assert claim("golang-migrate", self.PAIR | {"m/atlas.hcl": atlas}, "m/migrations") is not None


class TestDiesel:
    FILES = {
        "m/00000000000000_diesel_initial_setup/up.sql": "SELECT 1;",
        "m/00000000000000_diesel_initial_setup/down.sql": "",
        "m/2024-01-02-030405_b/up.sql": "",
        "m/20230101000000_a b/up.sql": "",
        "m/20230101000000_a b/down.sql": "",
    }

    def test_the_layout_is_the_mark_and_versions_ignore_dashes(self) -> None:
        found = claim("diesel", self.FILES, "m")
        assert found is not None
        assert found.files == (
            "00000000000000_diesel_initial_setup/up.sql",
            "00000000000000_diesel_initial_setup/down.sql",
            "20230101000000_a b/up.sql",
            "20230101000000_a b/down.sql",
            "2024-01-02-030405_b/up.sql",
        )
        assert claim("diesel", {"m/1_a/x.sql": ""}, "m") is None

    def test_configuration_is_named_in_the_reason(self) -> None:
        found = claim("diesel", self.FILES | {"diesel.toml": ""}, "m")
        assert found is not None
        assert found.runner.reason.startswith("diesel.toml configures Diesel")

    def test_one_string_in_a_transaction_each_way(self) -> None:
        assert cut("diesel", "SELECT 1;", "1_a/up.sql") == [Cut("up", "section", "string", "SELECT 1;")]
        assert cut("diesel", "SELECT 1;", "1_a/down.sql") == [Cut("down", "section", "string", "SELECT 1;")]

    @pytest.mark.parametrize(
        ("metadata", "wrapping", "noticed"),
        [
            ("run_in_transaction = false\n", "none", False),
            ("run_in_transaction=true", "section", False),
            ('run_in_transaction = "false"', "section", True),
            ("run-in-transaction = false", "section", True),
            ("run_in_transaction = False", "section", True),
            ("", "section", False),
        ],
    )
    def test_metadata(self, metadata: str, wrapping: str, noticed: bool) -> None:
        beside = tree({"m/up.sql": "SELECT 1;", "m/metadata.toml": metadata}, "m")
        found = sections("diesel", "SELECT 1;", "1_a/up.sql", directory=beside)
        assert found.sections[0].wrapping == wrapping
        assert bool(found.notices) is noticed
        assert (found.sections[0].marker is not None) is (wrapping == "none")


class TestFlyway:
    def test_order_versions_then_repeatables_and_undo_beside_its_version(self) -> None:
        names = [
            "V10__c.sql",
            "V9__b.sql",
            "V1.10__z.sql",
            "V1_9__y.sql",
            "U9__b.sql",
            "R__b.sql",
            "R__a.sql",
            "B10__base.sql",
            "afterMigrate.sql",
        ]
        found = claim("flyway", dict.fromkeys(names, ""))
        assert found is not None
        assert found.files == (
            "V1_9__y.sql",
            "V1.10__z.sql",
            "V9__b.sql",
            "U9__b.sql",
            "V10__c.sql",
            "R__a.sql",
            "R__b.sql",
        )

    def test_its_own_folder_is_searched_in_depth(self) -> None:
        files = {"src/db/migration/2.1/V2_1__a.sql": "", "src/db/migration/2.0/V2_0__a.sql": ""}
        found = claim("flyway", files, "src/db/migration")
        assert found is not None
        assert found.files == ("2.0/V2_0__a.sql", "2.1/V2_1__a.sql")
        assert found.runner.reason == "the folder is db/migration, where Flyway looks"

    @pytest.mark.parametrize("name", ["001__a.sql", "V1_a.sql", "Views__a.sql", "v1__a.sql", "V1__a.txt"])
    def test_other_names_are_no_mark(self, name: str) -> None:
        assert claim("flyway", {name: ""}) is None

    def test_one_transaction_by_the_statement_unless_a_statement_cannot(self) -> None:
        found = sections("flyway", "SELECT 1;", "V1__a.sql").sections[0]
        assert (found.direction, found.wrapping, found.wire) == ("up", "section", "statement")
        assert found.mixed_refused
        for sql in (
            "create index concurrently i on t (a)",
            "drop index concurrently i",
            "vacuum t",
            "alter system set a = 1",
            "reindex schema s",
            "create database d",
            "discard all",
        ):
            assert any(re.match(pattern, sql) for pattern in found.unwraps), sql
        for sql in (
            "reindex index concurrently i",
            "alter table p detach partition c concurrently",
            "create index i on t (a)",
        ):
            assert not any(re.match(pattern, sql) for pattern in found.unwraps), sql

    def test_undo_files_are_down(self) -> None:
        assert [one.direction for one in cut("flyway", "SELECT 1;", "U1__a.sql")] == ["down"]

    @pytest.mark.parametrize(
        ("conf", "wrapping", "unwraps", "noticed"),
        [
            ("executeInTransaction=false\n", "none", False, False),
            ("# x\n executeInTransaction = FALSE \r\n", "none", False, False),
            ("executeInTransaction=true", "section", False, False),
            ("flyway.executeInTransaction=false", "section", True, True),
            ("executeInTransaction=no", "section", True, True),
            ("encoding=UTF-8", "section", True, False),
        ],
    )
    def test_the_side_file(self, conf: str, wrapping: str, unwraps: bool, noticed: bool) -> None:
        beside = tree({"V1__a.sql": "SELECT 1;", "V1__a.sql.conf": conf})
        found = sections("flyway", "SELECT 1;", "V1__a.sql", directory=beside)
        assert found.sections[0].wrapping == wrapping
        assert bool(found.sections[0].unwraps) is unwraps
        assert [one.rule for one in found.notices] == (["runner-refuses-file"] if noticed else [])

    def test_configuration_above(self) -> None:
        conf = "flyway.sqlMigrationPrefix=M\nflyway.group=true\nflyway.mixed=true\n"
        files = {"flyway.conf": conf, "sql/M1__a.sql": "SELECT 1;"}
        found = claim("flyway", files, "sql")
        assert found is not None
        assert found.files == ("M1__a.sql",)
        assert found.runner.reason == "flyway.conf configures Flyway"
        section = sections("flyway", "SELECT 1;", "M1__a.sql", directory=tree(files, "sql")).sections[0]
        assert (section.wrapping, section.mixed_refused) == ("batch", False)

    def test_toml_configuration(self) -> None:
        files = {"flyway.toml": "[flyway]\nexecuteInTransaction = false\n", "sql/V1__a.sql": "SELECT 1;"}
        section = sections("flyway", "SELECT 1;", "V1__a.sql", directory=tree(files, "sql")).sections[0]
        assert section.wrapping == "none"

    def test_a_configuration_does_not_claim_folders_without_migrations(self) -> None:
        assert claim("flyway", {"flyway.conf": "", "db/seed.sql": ""}, "db") is None
