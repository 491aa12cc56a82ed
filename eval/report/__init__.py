"""Reports of scorecards: tables for terminals, Markdown, an HTML page."""

from grek.eval.report.page import html
from grek.eval.report.tables import comparison, markdown, policies, rows, scores, seeds, world

__all__ = ["comparison", "html", "markdown", "policies", "rows", "scores", "seeds", "world"]
