"""Settings of all tests: one thread each, and the slow ones first.

Tests run on all cores side by side, so none takes more than one: MuJoCo's batch is three times
slower beside a busy neighbour. The slowest begin first, or the others would wait for them.
"""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

SLOW = (
    "test_kills.py",
    "test_notebook.py",
    "test_scores.py",
    "test_pytest_plugin.py",
    "test_docs_commands.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of SLOW first, in its order."""
    items.sort(key=lambda item: SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW))
