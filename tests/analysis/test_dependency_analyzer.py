from __future__ import annotations

import asyncio

import pytest

import dflint
from dflint.model.errors import InputError, NotFound
from dflint.model.impact import Impact
from tests.catalog.live import execute, read
from tests.servers import TestServer

SCHEMA = """
    create table users (id int primary key, email text, note text);
    create view emails as select email from users;
    create index on users (email);
    create function of_users() returns bigint language sql as 'select count(note) from users';
"""


def effects(impact: Impact) -> dict[str, str]:
    return {each.identity: each.effect for each in impact.dependents}


@pytest.mark.majors(13, 15, 18)
def test_dependents_of_a_table_and_of_a_column(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, SCHEMA)
    analyzer = dflint.DependencyAnalyzer(dsn)
    of_column = asyncio.run(analyzer.analyze_column_dependencies("users", "email"))
    assert effects(of_column) == {"view:public.emails": "blocks", "index:public.users_email_idx": "auto_dropped"}
    assert of_column.refused
    of_table = asyncio.run(analyzer.analyze_table_dependencies("public.users"))
    found = effects(of_table)
    assert found["view:public.emails"] == "blocks"
    assert found["constraint:public.users.users_pkey"] == "auto_dropped"
    assert found['function:public."of_users()"'] == "breaks_later"
    (body,) = (each for each in of_table.dependents if each.effect == "breaks_later")
    assert [(each.kind, each.line, each.column) for each in body.evidence] == [("body", 1, 25)]
    again = dflint.DependencyAnalyzer(catalog=read(dsn))
    assert asyncio.run(again.analyze_table_dependencies("users")) == of_table


def test_what_does_not_exist_is_named_with_what_is_near(pg: TestServer) -> None:
    dsn = pg.new_database()
    execute(dsn, SCHEMA)
    analyzer = dflint.DependencyAnalyzer(dsn)
    with pytest.raises(NotFound, match=r"there is no column of public\.users emial") as raised:
        asyncio.run(analyzer.analyze_column_dependencies("users", "emial"))
    assert raised.value.near == ("email",)
    with pytest.raises(NotFound):
        asyncio.run(analyzer.analyze_table_dependencies("usres"))
    with pytest.raises(InputError, match="cannot be read"):
        asyncio.run(analyzer.analyze_table_dependencies("users; drop table users"))
    with pytest.raises(InputError):
        dflint.DependencyAnalyzer()
