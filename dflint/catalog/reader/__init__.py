"""Reading the catalog of a live server."""

from dflint.catalog.reader.reading import read_catalog

__all__ = ["read_catalog"]
