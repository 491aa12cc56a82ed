"""Settings of all tests: one thread for torch, for equal results on a busy machine."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
