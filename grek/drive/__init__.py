"""Drive a droid live in a browser: `grek drive`.

`droid` is one world under commands of the moment, `recording` its log and film, `dials` what of
the world can be changed; `server`, `keys`, `scene` and `panel` are the page; `session` is the loop
that holds them together.
"""
