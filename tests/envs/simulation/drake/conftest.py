"""Tests of the engine drake: `make test-drake` installs the extra and fails if they do not run."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("pydrake") else ["test_*.py"]
