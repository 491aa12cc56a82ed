"""Reports: a scorecard as tables, charts, Markdown and HTML."""
