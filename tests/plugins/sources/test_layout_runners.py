"""Runners with a lock file or a layout of their own: Prisma, Drizzle, Atlas, Supabase, Sqitch."""

from __future__ import annotations

import json
import re

import pytest

from tests.plugins.sources.memory import Cut, claim, cut, notices, sections, source, tree

INEFFECTIVE = "marker-without-effect"
REFUSED = "runner-refuses-file"


class TestPrisma:
    FILES = {
        "prisma/migrations/migration_lock.toml": 'provider = "postgresql"',
        "prisma/migrations/20240102000000_b.sql/migration.sql": "SELECT 2;",
        "prisma/migrations/20240101000000_a copy/migration.sql": "SELECT 1;",
        "prisma/migrations/20240103000000_code/migration.ts": "",
    }

    def test_the_lock_file_is_the_mark(self) -> None:
        found = claim("prisma", self.FILES, "prisma/migrations")
        assert found is not None
        assert found.files == ("20240101000000_a copy/migration.sql", "20240102000000_b.sql/migration.sql")
        assert "migration_lock.toml lies in the folder" in found.runner.reason
        assert "newest known" in found.runner.reason
        assert found.runner.version is None

    @pytest.mark.parametrize(
        ("files", "claimed"),
        [
            ({"p/schema.prisma": "", "p/m/01_init/migration.sql": ""}, True),
            ({"p/schema/a.prisma": "", "p/m/01_init/migration.sql": ""}, True),
            ({"p/m/20240101000000_init/migration.sql": ""}, True),
            ({"p/m/01_init/migration.sql": ""}, False),
            ({"p/m/20240101000000_init/migration.sql": "", "p/m/20240101000000_init/snapshot.json": ""}, False),
        ],
    )
    def test_the_layout_is_a_mark(self, files: dict[str, str], claimed: bool) -> None:
        assert (claim("prisma", files, "p/m") is not None) is claimed

    def test_the_version_comes_from_package_json(self) -> None:
        package = json.dumps({"devDependencies": {"prisma": "^6.1.0"}})
        found = claim("prisma", self.FILES | {"package.json": package}, "prisma/migrations")
        assert found is not None
        assert found.runner.version == "6.1.0"
        assert "package.json asks for 6.1.0" in found.runner.reason

    @pytest.mark.parametrize(
        ("version", "splits"), [("6.19.0", False), ("7.3.0", False), ("7.4.0", True), ("7.10", True), (None, True)]
    )
    def test_concurrently_runs_alone_from_7_4_on(self, version: str | None, splits: bool) -> None:
        found = sections("prisma", "SELECT 1;", "1_a/migration.sql", version=version).sections[0]
        assert (found.direction, found.wrapping, found.wire) == ("up", "none", "string")
        alone = any(re.match(pattern, "create unique index concurrently i on t (a)") for pattern in found.alone)
        assert alone is splits
        assert not any(re.match(pattern, "create index i on t (a)") for pattern in found.alone)


class TestDrizzle:
    def journal(self, *tags: str) -> str:
        return json.dumps({"dialect": "postgresql", "entries": [{"idx": n, "tag": tag} for n, tag in enumerate(tags)]})

    def test_the_journal_is_mark_and_order(self) -> None:
        files = {
            "d/meta/_journal.json": self.journal("0001_b", "0000_a", "0002_gone"),
            "d/0000_a.sql": "",
            "d/0001_b.sql": "",
            "d/9_x.sql": "",
        }
        found = claim("drizzle", files, "d")
        assert found is not None
        assert found.files == ("0001_b.sql", "0000_a.sql")
        assert found.covers == ("meta",)

    @pytest.mark.parametrize("journal", ["", "{", "[]", '{"entries": 3}', '{"entries": [1]}', '{"entries": []}'])
    def test_a_broken_journal_hides_no_file(self, journal: str) -> None:
        found = claim("drizzle", {"d/meta/_journal.json": journal, "d/10_b.sql": "", "d/9_a.sql": ""}, "d")
        assert found is not None
        assert found.files == ("9_a.sql", "10_b.sql")

    def test_the_layout_of_1_0(self) -> None:
        files = {f"d/2024010100000{n}_x/{name}": "" for n in (2, 1) for name in ("migration.sql", "snapshot.json")}
        found = claim("drizzle", files, "d")
        assert found is not None
        assert found.files == ("20240101000001_x/migration.sql", "20240101000002_x/migration.sql")

    def test_one_transaction_for_all_in_pieces(self) -> None:
        text = "SELECT 1; SELECT 2;\n--> statement-breakpoint\nSELECT 3;--> statement-breakpoint\r\nSELECT 4;\n--> statement-breakpoint\n"
        found = sections("drizzle", text).sections[0]
        assert (found.direction, found.wrapping, found.wire) == ("up", "batch", "string")
        assert [text[one.start : one.end].strip() for one in found.chunks] == [
            "SELECT 1; SELECT 2;",
            "SELECT 3;",
            "SELECT 4;",
        ]

    def test_numbered_files_are_no_mark(self) -> None:
        assert claim("drizzle", {"0000_a.sql": "--> statement-breakpoint"}) is None


class TestAtlas:
    def test_the_sum_file_is_the_mark(self) -> None:
        found = claim("atlas", {"atlas.sum": "", "2_b.sql": "", "10_a.sql": ""})
        assert found is not None
        assert found.files == ("10_a.sql", "2_b.sql")
        assert found.runner.reason == "atlas.sum lies in the folder"
        assert claim("atlas", {"1_a.sql": "-- atlas:txmode none\n\n"}) is None

    def test_a_header_with_a_blank_line_takes_the_transaction_away(self) -> None:
        text = "-- licence\n-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY i ON t (a);\n"
        found = sections("atlas", text)
        assert found.sections[0].wrapping == "none"
        assert found.notices == ()
        marker = found.sections[0].marker
        assert marker is not None
        assert text[marker.start : marker.end] == "-- atlas:txmode none"

    @pytest.mark.parametrize(
        "text",
        [
            "-- atlas:txmode none\nSELECT 1;\n",
            "\n-- atlas:txmode none\n\nSELECT 1;\n",
            "SELECT 0;\n-- atlas:txmode none\n\nSELECT 1;\n",
            "-- atlas:txmode none\r\n\r\nSELECT 1;\r\n",
        ],
    )
    def test_elsewhere_it_has_no_effect(self, text: str) -> None:
        assert sections("atlas", text).sections[0].wrapping == "section"
        assert notices("atlas", text) == [(INEFFECTIVE, "-- atlas:txmode none")]

    def test_blanks_in_the_blank_line_do_not_matter(self) -> None:
        assert sections("atlas", "-- atlas:txmode none\n \t\nSELECT 1;").sections[0].wrapping == "none"

    @pytest.mark.parametrize("mode", ["all", "None", "off", ""])
    def test_other_modes_are_refused(self, mode: str) -> None:
        text = f"-- atlas:txmode {mode}\n\nSELECT 1;\n"
        assert [rule for rule, _ in notices("atlas", text)] == [REFUSED]
        assert sections("atlas", text).sections[0].wrapping == "section"

    def test_file_mode_is_the_default(self) -> None:
        found = sections("atlas", "-- atlas:txmode file\n\nSELECT 1;\n")
        assert (found.sections[0].wrapping, found.notices) == ("section", ())

    def test_a_checkpoint_does_not_run(self) -> None:
        found = sections("atlas", "-- atlas:checkpoint v2\n\nCREATE TABLE a ();\n")
        assert found.sections == ()
        assert [one.rule for one in found.notices] == ["never-runs"]

    def test_a_delimiter_of_its_own(self) -> None:
        text = "-- atlas:delimiter \\n\\n\\n\nSELECT 1; SELECT 2;\n\n\nSELECT 3;\n"
        found = sections("atlas", text).sections[0].chunks
        assert [text[one.start : one.end].strip() for one in found] == ["SELECT 1; SELECT 2;", "SELECT 3;"]


class TestSupabase:
    def test_the_fixed_layout_is_the_mark(self) -> None:
        files = {
            "supabase/migrations/20240101000000_a.sql": "",
            "supabase/migrations/x.sql": "",
            "supabase/seed.sql": "",
        }
        found = claim("supabase", files, "supabase/migrations")
        assert found is not None
        assert found.files == ("20240101000000_a.sql",)
        assert claim("supabase", {"db/migrations/20240101000000_a.sql": ""}, "db/migrations") is None

    def test_an_old_init_that_comes_first_is_skipped(self) -> None:
        names = ["20210101000000_init.sql", "20220101000000_init.sql"]
        assert source("supabase").files(tree(dict.fromkeys(names, ""))) == ("20220101000000_init.sql",)
        assert source("supabase").files(tree({"20211209000000_init.sql": ""})) == ("20211209000000_init.sql",)

    @pytest.mark.parametrize(
        ("version", "flushes", "block"),
        [
            ("1.200.3", False, True),
            ("2.108.9", False, True),
            ("2.109.0", True, True),
            ("2.115.0", True, False),
            (None, True, False),
        ],
    )
    def test_what_the_batch_holds_depends_on_the_version(self, version: str | None, flushes: bool, block: bool) -> None:
        found = sections("supabase", "SELECT 1;", "1_a.sql", version=version).sections[0]
        assert (found.direction, found.wrapping, found.wire) == ("up", "none", "pipeline")
        for sql in (
            "create index concurrently i on t (a)",
            "reindex table concurrently t",
            "reindex (verbose) index concurrently i",
            "vacuum",
            "cluster t",
            "alter system set a = 1",
        ):
            assert any(re.match(pattern, sql) for pattern in found.alone) is flushes, sql
        assert not any(re.match(pattern, "reindex table t") for pattern in found.alone)
        assert found.transaction_block is block

    def test_the_version_comes_from_package_json(self) -> None:
        files = {
            "supabase/migrations/1_a.sql": "",
            "package.json": json.dumps({"devDependencies": {"supabase": "~2.100.0"}}),
        }
        found = claim("supabase", files, "supabase/migrations")
        assert found is not None
        assert found.runner.version == "2.100.0"


class TestSqitch:
    PLAN = (
        "%syntax-version=1.0.0\n%project=flipr\n\n"
        "# a comment\n"
        "appschema 2024-01-01T00:00:00Z Ann <a@b> # Adds schema.\n"
        "users [appschema] 2024-01-02T00:00:00Z Ann <a@b> # Adds users.\n"
        "@v1 2024-01-03T00:00:00Z Ann <a@b> # Tag.\n\n"
        "+tables/flips [users !x] 2024-01-04T00:00:00Z Ann <a@b>\n"
        "users [users@v1] 2024-01-05T00:00:00Z Ann <a@b> # Again.\n"
        "@v2 2024-01-06T00:00:00Z Ann <a@b>\n"
    )

    def files(self) -> dict[str, str]:
        scripts = ["appschema", "users", "users@v1", "tables/flips", "unplanned"]
        paths = [f"{folder}/{name}.sql" for folder in ("deploy", "revert", "verify") for name in scripts]
        return {"sqitch.plan": self.PLAN, **dict.fromkeys(paths, "BEGIN;\nCOMMIT;\n")}

    def test_the_plan_is_mark_and_order(self) -> None:
        found = claim("sqitch", self.files())
        assert found is not None
        assert found.files == (
            "deploy/appschema.sql",
            "revert/appschema.sql",
            "deploy/users@v1.sql",
            "revert/users@v1.sql",
            "deploy/tables/flips.sql",
            "revert/tables/flips.sql",
            "deploy/users.sql",
            "revert/users.sql",
        )
        assert "verify" in found.covers

    def test_folders_named_by_the_configuration(self) -> None:
        files = {
            "sqitch.plan": "%project=x\na 2024 A <a>\n",
            "sqitch.conf": "[core]\n\tdeploy_dir = up\n",
            "up/a.sql": "",
        }
        found = claim("sqitch", files)
        assert found is not None
        assert found.files == ("up/a.sql",)

    def test_psql_by_the_statement(self) -> None:
        assert cut("sqitch", "BEGIN;\nCOMMIT;", "deploy/a.sql") == [Cut("up", "none", "psql", "BEGIN;\nCOMMIT;")]
        assert cut("sqitch", "BEGIN;", "revert/a.sql") == [Cut("down", "none", "psql", "BEGIN;")]

    def test_a_deploy_folder_alone_is_no_mark(self) -> None:
        assert claim("sqitch", {"deploy/a.sql": "", "revert/a.sql": ""}) is None
