"""A password never gets into a message."""

from __future__ import annotations

import asyncio
import traceback
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from dflint.model.errors import DflintError, InputError
from dflint.postgres.connection import connect, printable

#: Recognisable whatever else is in the message; libpq takes no NUL.
SECRETS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12).map("s3cr3t{}".format)


@given(SECRETS)
def test_printable(secret: str) -> None:
    url = f"postgresql://me:{quote(secret, safe='')}@db.example:5433/shop?sslmode=require"
    for dsn in (url, make_conninfo(host="db.example", user="me", password=secret, sslpassword=secret, dbname="shop")):
        shown = printable(dsn)
        assert "s3cr3t" not in shown
        parameters = conninfo_to_dict(shown)
        assert parameters["host"] == "db.example"
        assert parameters["dbname"] == "shop"


@pytest.mark.parametrize(
    "dsn",
    [
        "host=/nonexistent password=s3cr3t",
        "host=/nonexistent password='s3cr3t",
        "host=/nonexistent pasword=s3cr3t",
        "s3cr3t",
        "postgresql://me:s3cr3t@[::1/shop",
        "postgresql://me:s3cr3t@127.0.0.1:99999/shop",
        "postgresql://me:p@s3cr3t:x@127.0.0.1/shop",
        "postgresql://me@127.0.0.1:1/shop?password=s3cr3t&connect_timeout=1",
        "postgresql://me:p/s3cr3t@127.0.0.1/shop",
        "postgresql://me:p?s3cr3t@127.0.0.1/shop",
        "postgres://me:s3cr3t@127.0.0.1:1/shop",
    ],
)
def test_a_failure_does_not_tell(dsn: str) -> None:
    with pytest.raises(DflintError) as raised:
        asyncio.run(connect(dsn))
    assert "s3cr3t" not in str(raised.value)
    # Nor does a traceback, with everything that it chains.
    assert "s3cr3t" not in "".join(traceback.format_exception_only(raised.value))
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_malformed() -> None:
    assert printable("host='") == "(malformed connection string)"
    with pytest.raises(InputError, match="malformed"):
        asyncio.run(connect("host='"))
