"""The error for bad input."""


class InputError(ValueError):
    """Invalid value from the command line or a file: names the value and the valid ones.

    The command prints it as one line and exits with code 2.
    """
