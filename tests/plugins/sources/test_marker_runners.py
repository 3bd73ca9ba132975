"""Runners whose sections are cut by marker comments: goose, sql-migrate, dbmate, tern, Liquibase."""

from __future__ import annotations

import pytest

from tests.plugins.sources.memory import Cut, claim, cut, notices, piece, sections, tree

INEFFECTIVE = "marker-without-effect"
REFUSED = "runner-refuses-file"
NEVER = "never-runs"


class TestGoose:
    def test_up_and_down_each_in_a_transaction(self) -> None:
        text = "-- +goose Up\nCREATE TABLE a ();\n\n-- +goose Down\nDROP TABLE a;\n"
        assert cut("goose", text) == [
            Cut("up", "section", "statement", "CREATE TABLE a ();"),
            Cut("down", "section", "statement", "DROP TABLE a;"),
        ]
        assert notices("goose", text) == []

    def test_annotations_are_read_in_any_case_and_with_any_blanks_after_the_dashes(self) -> None:
        text = "--   +goose uP\r\nSELECT 1;\r\n--+goose DOWN  \r\nSELECT 2;\r\n"
        assert [(one.direction, one.text) for one in cut("goose", text)] == [("up", "SELECT 1;"), ("down", "SELECT 2;")]
        assert notices("goose", text) == []

    @pytest.mark.parametrize("place", ["top", "up", "down"])
    def test_no_transaction_covers_both_directions_wherever_it_stands(self, place: str) -> None:
        marker = "-- +goose no transaction\n"
        text = (
            f"{marker if place == 'top' else ''}-- +goose Up\n{marker if place == 'up' else ''}SELECT 1;\n"
            f"-- +goose Down\n{marker if place == 'down' else ''}SELECT 2;\n"
        )
        found = sections("goose", text).sections
        assert [(one.direction, one.wrapping) for one in found] == [("up", "none"), ("down", "none")]
        for one in found:
            assert one.marker is not None
            assert text[one.marker.start : one.marker.end] == marker.strip()

    def test_an_indented_annotation_is_refused_and_takes_no_transaction_away(self) -> None:
        text = "-- +goose Up\n  -- +goose NO TRANSACTION\nCREATE INDEX CONCURRENTLY i ON t (a);\n"
        assert sections("goose", text).sections[0].wrapping == "section"
        assert notices("goose", text) == [(INEFFECTIVE, "-- +goose NO TRANSACTION")]

    def test_an_indented_down_still_ends_the_up_part(self) -> None:
        text = "-- +goose Up\nSELECT 1;\n\t-- +goose Down\nDROP TABLE a;\n"
        assert [one.text for one in cut("goose", text)] == ["SELECT 1;", "DROP TABLE a;"]
        assert notices("goose", text) == [(INEFFECTIVE, "-- +goose Down")]

    def test_a_misspelt_or_quoted_annotation_stops_goose(self) -> None:
        text = "-- +goose Up\n-- we do not want `-- +goose NO TRANSACTION` here\nSELECT 1;\n"
        assert notices("goose", text) == [(INEFFECTIVE, "-- we do not want `-- +goose NO TRANSACTION` here")]
        assert sections("goose", text).sections[0].wrapping == "section"

    def test_a_second_up_is_refused(self) -> None:
        text = "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n-- +goose Up\nSELECT 3;\n"
        assert notices("goose", text) == [(INEFFECTIVE, "-- +goose Up")]

    def test_sql_before_up_and_a_missing_up_are_refused(self) -> None:
        assert notices("goose", "SELECT 0;\n-- +goose Up\nSELECT 1;\n") == [(REFUSED, "SELECT 0;")]
        assert notices("goose", "SELECT 0;\n") == [(REFUSED, "")]
        assert cut("goose", "SELECT 0;\n") == [Cut("up", "section", "statement", "SELECT 0;")]

    def test_a_licence_before_up_is_no_section(self) -> None:
        text = "-- Copyright\n\n-- +goose Up\nSELECT 1;\n"
        assert [one.text for one in cut("goose", text)] == ["SELECT 1;"]
        assert notices("goose", text) == []

    def test_without_down_there_is_one_section(self) -> None:
        assert [one.direction for one in cut("goose", "-- +goose Up\nSELECT 1;")] == ["up"]

    def test_goose_cuts_at_line_ends_and_keeps_fenced_text_together(self) -> None:
        text = (
            "-- +goose Up\n-- a comment\nSELECT 1; SELECT 2;\nSELECT\n3; -- trailing; note\n"
            "-- +goose StatementBegin\nDO $$ BEGIN\nPERFORM 1;\nEND $$;\nSELECT 4;\n-- +goose StatementEnd\n"
        )
        found = sections("goose", text).sections[0].chunks
        assert [text[one.start : one.end] for one in found] == [
            "SELECT 1; SELECT 2;",
            "SELECT\n3; -- trailing; note",
            "DO $$ BEGIN\nPERFORM 1;\nEND $$;\nSELECT 4;",
        ]

    def test_a_marker_inside_a_literal_is_taken_as_goose_takes_it(self) -> None:
        text = "-- +goose Up\nSELECT '\n-- +goose Down\n';\n"
        assert [one.direction for one in cut("goose", text)] == ["up", "down"]

    def test_claims_by_the_first_or_last_file_and_reads_no_other(self) -> None:
        files = {f"{n:05}_x.sql": "SELECT 1;" for n in range(1, 50)} | {"00050_x.sql": "-- +goose Up\n"}
        directory = tree(files)
        from tests.plugins.sources.memory import source

        found = source("goose").claim(directory)
        assert found is not None
        assert found.runner.reason == "00050_x.sql has -- +goose annotations"
        assert len(found.files) == 50
        assert directory.reads == ["00001_x.sql", "00050_x.sql"]

    def test_orders_by_number_and_leaves_out_what_goose_does_not_know(self) -> None:
        found = claim("goose", {"2_b.sql": "-- +goose Up", "10_a.sql": "-- +goose Up", "seed.sql": "", "3.sql": ""})
        assert found is not None
        assert found.files == ("2_b.sql", "10_a.sql")

    def test_a_number_alone_is_no_mark(self) -> None:
        assert claim("goose", {"00001_a.sql": "SELECT '+goose';"}) is None


class TestSqlMigrate:
    def test_notransaction_holds_for_its_own_direction(self) -> None:
        text = "-- +migrate Up notransaction\nSELECT 1;\n-- +migrate Down\nSELECT 2;\n"
        assert cut("sql-migrate", text) == [
            Cut("up", "none", "statement", "SELECT 1;"),
            Cut("down", "section", "statement", "SELECT 2;"),
        ]

    def test_the_marker_points_at_the_option(self) -> None:
        text = "-- +migrate Up notransaction\nSELECT 1;\n"
        marker = sections("sql-migrate", text).sections[0].marker
        assert marker is not None
        assert text[marker.start : marker.end] == "notransaction"

    def test_an_indented_marker_has_no_effect(self) -> None:
        text = "-- +migrate Up\nSELECT 1;\n  -- +migrate Down\nDROP TABLE a;\n"
        assert notices("sql-migrate", text) == [(INEFFECTIVE, "-- +migrate Down")]
        assert [one.direction for one in cut("sql-migrate", text)] == ["up"]

    def test_no_marker_at_all_is_refused(self) -> None:
        assert notices("sql-migrate", "SELECT 1;") == [(REFUSED, "")]

    def test_claims_by_its_marker_only(self) -> None:
        assert claim("sql-migrate", {"1_a.sql": "-- +migrate Up\n"}) is not None
        assert claim("sql-migrate", {"1_a.sql": "SELECT 1;"}) is None


class TestDbmate:
    def test_several_pairs_in_one_file(self) -> None:
        text = (
            "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n"
            "-- migrate:up transaction:false\nSELECT 3;\n-- migrate:down transaction:false\nSELECT 4;\n"
        )
        assert cut("dbmate", text) == [
            Cut("up", "section", "string", "SELECT 1;"),
            Cut("down", "section", "string", "SELECT 2;"),
            Cut("up", "none", "string", "SELECT 3;"),
            Cut("down", "none", "string", "SELECT 4;"),
        ]
        assert notices("dbmate", text) == []

    def test_the_marker_in_effect_is_known_so_that_a_rule_can_count_statements(self) -> None:
        text = "-- migrate:up  transaction:false\r\nSELECT 1;\r\n-- migrate:down\r\n"
        marker = sections("dbmate", text).sections[0].marker
        assert marker is not None
        assert text[marker.start : marker.end] == "transaction:false"

    @pytest.mark.parametrize("option", ["transaction: false", "transaction : false", "Transaction:False"])
    def test_blanks_or_capitals_in_the_option_spoil_it(self, option: str) -> None:
        text = f"-- migrate:up {option}\nSELECT 1;\n-- migrate:down\n"
        assert sections("dbmate", text).sections[0].wrapping == "section"
        assert notices("dbmate", text) == [(INEFFECTIVE, f"-- migrate:up {option}")]

    def test_the_option_on_another_line_has_no_effect(self) -> None:
        text = "-- transaction:false\n-- migrate:up\n-- transaction:false\nSELECT 1;\n-- migrate:down\n"
        assert notices("dbmate", text) == [(INEFFECTIVE, "-- transaction:false")] * 2
        assert sections("dbmate", text).sections[0].wrapping == "section"

    def test_transaction_true_and_unknown_options_change_nothing(self) -> None:
        text = "-- migrate:up transaction:true foo:bar\nSELECT 1;\n-- migrate:down\n"
        assert sections("dbmate", text).sections[0].wrapping == "section"
        assert notices("dbmate", text) == []

    def test_a_missing_down_is_refused_and_the_up_part_still_judged(self) -> None:
        text = "-- migrate:up\nSELECT 1;\n"
        assert notices("dbmate", text) == [(REFUSED, "-- migrate:up")]
        assert cut("dbmate", text) == [Cut("up", "section", "string", "SELECT 1;")]

    def test_an_indented_marker_is_none(self) -> None:
        text = "-- migrate:up\nSELECT 1;\n  -- migrate:down\nDROP TABLE a;\n-- migrate:down\n"
        assert notices("dbmate", text) == [(INEFFECTIVE, "-- migrate:down")]
        assert "DROP TABLE a" in cut("dbmate", text)[0].text

    def test_only_comments_may_come_first(self) -> None:
        assert notices("dbmate", "-- hello\n\n-- migrate:up\n-- migrate:down\n") == []
        assert notices("dbmate", "SELECT 0;\n-- migrate:up\n-- migrate:down\n") == [(REFUSED, "SELECT 0;")]

    def test_files_are_sorted_as_text(self) -> None:
        marked = "-- migrate:up\n-- migrate:down\n"
        found = claim("dbmate", {"9_a.sql": marked, "10_b.sql": marked, "schema.sql": ""})
        assert found is not None
        assert found.files == ("10_b.sql", "9_a.sql")
        assert claim("dbmate", {"10_b.sql": "SELECT 'migrate:up'"}) is None


class TestTern:
    DIVIDER = "---- create above / drop below ----"

    def test_the_divider_cuts_wherever_it_stands_first(self) -> None:
        text = f"CREATE TABLE a ();\n{self.DIVIDER}\nDROP TABLE a;\n{self.DIVIDER}\n"
        assert cut("tern", text) == [
            Cut("up", "section", "string", "CREATE TABLE a ();"),
            Cut("down", "section", "string", f"DROP TABLE a;\n{self.DIVIDER}"),
        ]

    def test_disable_tx_holds_for_its_own_part_which_is_then_split(self) -> None:
        text = f"---- tern: disable-tx ----\nSELECT 1;\n{self.DIVIDER}\nSELECT 2;\n"
        found = sections("tern", text).sections
        assert [(one.wrapping, one.wire) for one in found] == [("none", "statement"), ("section", "string")]
        marker = found[0].marker
        assert marker is not None
        assert text[marker.start : marker.end] == "---- tern: disable-tx ----"

    @pytest.mark.parametrize(
        "line",
        [
            "---- tern: disable-tx ---- ",
            "---- tern: disable-tx ----\r",
            "-- tern: disable-tx",
            "---- tern:disable-tx ----",
        ],
    )
    def test_anything_else_on_the_line_spoils_it(self, line: str) -> None:
        text = f"SELECT 0;\n{line}\nSELECT 1;\n"
        assert sections("tern", text).sections[0].wrapping == "section"
        assert notices("tern", text) == [(INEFFECTIVE, line.strip())]

    def test_white_space_at_the_very_start_is_trimmed_by_tern_itself(self) -> None:
        assert sections("tern", "\n  ---- tern: disable-tx ----\nSELECT 1;\n").sections[0].wrapping == "none"

    def test_a_misspelt_divider_is_reported_since_the_drop_part_would_run(self) -> None:
        text = "CREATE TABLE a ();\n--- create above / drop below ---\nDROP TABLE a;\n"
        assert notices("tern", text) == [(INEFFECTIVE, "--- create above / drop below ---")]
        assert [one.direction for one in cut("tern", text)] == ["up"]

    def test_marked_by_comment_or_configuration_and_templates_below_are_covered(self) -> None:
        files = {"m/1_a.sql": f"SELECT 1;\n{self.DIVIDER}\n", "m/shared/f.sql": ""}
        found = claim("tern", files, "m")
        assert found is not None
        assert (found.files, found.covers) == (("1_a.sql",), ("shared",))
        plain = {"db/migrations/1_a.sql": "SELECT 1;", "db/tern.conf": ""}
        configured = claim("tern", plain, "db/migrations")
        assert configured is not None
        assert configured.runner.reason == "db/tern.conf configures tern"
        assert claim("tern", {"db/migrations/1_a.sql": "SELECT 1;"}, "db/migrations") is None


class TestLiquibase:
    HEADER = "--liquibase formatted sql\n"

    def test_each_changeset_is_a_section(self) -> None:
        text = (
            self.HEADER
            + "-- ignored\n--changeset ann:1\nSELECT 1;\n\n-- CHANGESET ann:2 runInTransaction:false\nSELECT 2;\n"
        )
        assert cut("liquibase", text) == [
            Cut("up", "section", "statement", "SELECT 1;"),
            Cut("up", "none", "statement", "SELECT 2;"),
        ]
        marker = sections("liquibase", text).sections[1].marker
        assert marker is not None
        assert text[marker.start : marker.end] == "runInTransaction:false"

    def test_a_rollback_line_after_the_sql_is_a_down_section(self) -> None:
        text = self.HEADER + "--changeset ann:1\nCREATE TABLE a ();\n--rollback DROP TABLE a;\n"
        assert cut("liquibase", text) == [
            Cut("up", "section", "statement", "CREATE TABLE a ();"),
            Cut("down", "section", "statement", "DROP TABLE a;"),
        ]

    def test_sql_after_a_rollback_line_still_runs(self) -> None:
        text = self.HEADER + "--changeset ann:1\nSELECT 1;\n--rollback SELECT 9;\nSELECT 2;\n"
        found = cut("liquibase", text)
        assert [one.direction for one in found] == ["up"]
        assert "SELECT 2;" in found[0].text

    @pytest.mark.parametrize("rollback", ["--rollback not required", "--rollback empty", "--rollback changesetId:1"])
    def test_rollbacks_that_are_no_sql(self, rollback: str) -> None:
        text = f"{self.HEADER}--changeset ann:1\nSELECT 1;\n{rollback}\n"
        assert [one.direction for one in cut("liquibase", text)] == ["up"]

    @pytest.mark.parametrize(
        "option", ["runInTransaction: false", "runInTransaction=false", 'runInTransaction:"false"']
    )
    def test_another_spelling_of_the_option_has_no_effect(self, option: str) -> None:
        text = f"{self.HEADER}--changeset ann:1 {option}\nSELECT 1;\n"
        assert sections("liquibase", text).sections[0].wrapping == "section"
        assert [rule for rule, _ in notices("liquibase", text)] == [INEFFECTIVE]

    def test_the_option_on_a_line_of_its_own_has_no_effect(self) -> None:
        text = f"{self.HEADER}--changeset ann:1\n--runInTransaction:false\nSELECT 1;\n"
        assert notices("liquibase", text) == [(INEFFECTIVE, "--runInTransaction:false")]

    def test_without_the_header_changeset_lines_are_comments(self) -> None:
        text = "--changeset ann:1 runInTransaction:false\nSELECT 1;\n"
        assert cut("liquibase", text) == [Cut("up", "section", "statement", text.strip())]
        assert notices("liquibase", text) == [(INEFFECTIVE, "--changeset ann:1 runInTransaction:false")]

    def test_a_changeset_without_author_and_id_is_refused(self) -> None:
        text = f"{self.HEADER}--changeset nobody\nSELECT 1;\n"
        assert notices("liquibase", text) == [(REFUSED, "--changeset nobody")]

    def test_split_statements_false_sends_one_string(self) -> None:
        text = f"{self.HEADER}--changeset ann:1 splitStatements:false runInTransaction:false\nSELECT 1; SELECT 2;\n"
        assert (sections("liquibase", text).sections[0].wire) == "string"

    def test_another_delimiter_makes_pieces(self) -> None:
        text = f"{self.HEADER}--changeset ann:1 endDelimiter:/\nSELECT 1; SELECT 2;\n/\nSELECT 3;\n/\n"
        found = sections("liquibase", text).sections[0]
        assert found.wire == "string"
        assert [text[one.start : one.end].strip() for one in found.chunks] == ["SELECT 1; SELECT 2;", "SELECT 3;"]

    @pytest.mark.parametrize(
        ("dbms", "runs"),
        [("postgresql", True), ("h2,postgresql", True), ("oracle", False), ("!postgresql", False), ("!oracle", True)],
    )
    def test_a_changeset_for_another_database_does_not_run(self, dbms: str, runs: bool) -> None:
        text = f"{self.HEADER}--changeset ann:1 dbms:{dbms}\nSELECT 1;\n"
        assert bool(sections("liquibase", text).sections) is runs
        assert [rule for rule, _ in notices("liquibase", text)] == ([] if runs else [NEVER])

    def test_the_changelog_in_the_folder_gives_the_order(self) -> None:
        files = {
            "a.sql": self.HEADER,
            "b.sql": self.HEADER,
            "c.sql": "SELECT 1;",
            "changelog.yml": "databaseChangeLog:\n- include:\n    file: x/b.sql\n- include:\n    file: x/a.sql\n",
        }
        found = claim("liquibase", files)
        assert found is not None
        assert found.files == ("b.sql", "a.sql", "c.sql")

    def test_spans_survive_carriage_returns(self) -> None:
        text = "--liquibase formatted sql\r\n--changeset a:1\r\nSELECT 1;\r\n--rollback SELECT 2;\r\n"
        found = sections("liquibase", text).sections
        assert [piece(text, one).strip() for one in found] == ["SELECT 1;", "SELECT 2;"]
