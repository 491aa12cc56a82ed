"""What all tests share: one torch thread, so that tests run alike on a busy machine."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
