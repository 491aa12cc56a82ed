"""Reference motions: gait and choreographies; the gait needs no simulator."""
