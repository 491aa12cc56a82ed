"""Training and scoring on many machines, through Ray (the extra `cluster`)."""
