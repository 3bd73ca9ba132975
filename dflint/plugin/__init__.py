"""The door for plugin authors: hook specifications, the types they exchange, and the manager.

A plugin needs nothing but this package and `dflint.model`. The plugins that come with dflint use the same door.
"""

from dflint.plugin.hookspecs import hookimpl
from dflint.plugin.reporters import Output, Reporter
from dflint.plugin.servers import Installation, Provider
from dflint.plugin.sources import Claim, Directory, MigrationFile, Sections, Source

__all__ = [
    "Claim",
    "Directory",
    "Installation",
    "MigrationFile",
    "Output",
    "Provider",
    "Reporter",
    "Sections",
    "Source",
    "hookimpl",
]
