"""The `grek` command. Each subcommand is a dataclass; its work is imported when it runs."""

import contextlib
import io
import re
import signal
import sys
from collections.abc import Iterator
from typing import Any

from grek.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, 1 (a regression), 2 (bad input), 130."""
    with stoppable():
        try:
            return parse(sys.argv[1:] if arguments is None else arguments).run()
        except KeyboardInterrupt as stop:
            bar = "\n" if sys.stderr.isatty() else ""  # which may stand half drawn on this line
            print(f"{bar}grek: {str(stop) or 'interrupted'}", file=sys.stderr)
            return 130
        except BrokenPipeError:  # the reader of a pipe has seen enough
            return 0
        except (InputError, OSError) as error:
            return fail(str(error))


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM interrupts like Ctrl-C."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def parse(arguments: list[str]) -> Any:
    """The subcommand that `arguments` ask for; leaves by SystemExit after help or bad usage."""
    import tyro  # here, so that Ctrl-C is heard already

    from grek.commands import COMMANDS

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="grek", args=arguments)
    except SystemExit as leaving:
        if leaving.code:
            sys.exit(fail(one_line(said.getvalue())))
        raise


def one_line(boxed: str) -> str:
    """What a boxed, wrapped error of tyro says, as one line."""
    text = boxed.split("─ Argument helptext")[0].split("For full helptext")[0]
    lines = [re.sub(r"[╭╮╰╯│─]+", " ", line).strip() for line in text.splitlines()]
    return " ".join(line for line in lines if line) or "bad usage; see grek --help"


def fail(message: str) -> int:
    """Say in one line on stderr what was wrong."""
    print(f"grek: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
