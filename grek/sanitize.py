"""Text from outside on its way to a terminal, a report or a message.

Names in scorecards, contracts and files may hold escape codes, line breaks, or megabytes. HTML is
escaped by its templates, Markdown by `grek.eval.report.tables`; both after this.
"""

MOST = 1000  # characters of a message


def printable(value: object) -> str:
    """`value` on one line, with a blank for each unprintable character."""
    return "".join(c if c.isprintable() else " " for c in str(value))


def message(value: object) -> str:
    """`value` as a message: printable, single blanks, cut at MOST characters."""
    text = " ".join(printable(str(value)[: 4 * MOST]).split())
    return text if len(text) <= MOST else text[: MOST - 4] + " ..."
