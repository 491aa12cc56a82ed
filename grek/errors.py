"""The error a person sees for bad input: one line that names the value and the valid ones."""


class InputError(ValueError):
    """Bad input from a person or a file; the command prints it as one line and exits with 2."""
