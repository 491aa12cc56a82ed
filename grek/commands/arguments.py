"""Arguments that several subcommands take."""

from typing import Annotated

from tyro.conf import Positional, arg

PolicyArgument = Annotated[Positional[str], arg(metavar="POLICY")]
