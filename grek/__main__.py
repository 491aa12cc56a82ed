"""Command line of Grek: `grek`, or `python -m grek`."""

import contextlib
import dataclasses
import io
import re
import signal
import sys
from collections.abc import Iterator
from typing import Any

from grek import extensions
from grek.errors import InputError
from grek.sanitize import message


def main(arguments: list[str] | None = None) -> int:
    """Run the command line `arguments`, `sys.argv[1:]` by default; return its exit code.

    0: done, 1: `compare` found a regression, 2: bad usage or input, 130: interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an encoding may lack a dash or a name's letters
    with interruptible():
        try:
            command = parse(sys.argv[1:] if arguments is None else arguments)
            extensions.load()
            code = int(command.run())
            sys.stdout.flush()  # here, not at the exit of Python, where it would be an error
            return code
        except KeyboardInterrupt as stop:
            echo = "\n" if sys.stderr.isatty() else ""  # the terminal has printed ^C on this line
            print(f"{echo}grek: {message(str(stop) or 'interrupted')}", file=sys.stderr)
            return 130
        except BrokenPipeError:  # the reader has gone away; files are written before results print
            sys.stdout = io.TextIOWrapper(io.BytesIO())  # for what is still buffered
            return 0
        except (InputError, OSError) as error:
            return fail(str(error))


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Context in which SIGTERM, like SIGINT, raises KeyboardInterrupt."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def parse(arguments: list[str]) -> Any:
    """Return the subcommand named by `arguments`; raise SystemExit after help or bad usage."""
    import tyro  # not before signals are handled

    from grek.commands import COMMANDS

    flags = (text[2:].partition("=")[0] for text in arguments if text.startswith("--"))
    given = tuple(flag.replace("-", "_").removeprefix("no_") for flag in flags)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            command = tyro.extras.subcommand_cli_from_dict(
                COMMANDS,
                prog="grek",
                description="Train, score and film policies that walk on randomised ground.",
                args=arguments,
                config=(tyro.conf.DisallowNone,),  # omit the flag instead
            )
    except SystemExit as exit:
        if exit.code:
            sys.exit(fail(one_line(printed.getvalue())))
        raise
    return dataclasses.replace(command, given=given) if hasattr(command, "given") else command


def one_line(boxed: str) -> str:
    """Return an error message of tyro as one line, without its frame and help texts."""
    text = boxed.split("─ Argument helptext")[0].split("For full helptext")[0]
    lines = [re.sub(r"[╭╮╰╯│─]+", " ", line).strip() for line in text.splitlines()]
    return " ".join(line for line in lines if line) or "bad usage; see grek --help"


def fail(reason: str) -> int:
    """Print `reason` as one line on stderr; return exit code 2."""
    print(f"grek: {message(reason)}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
