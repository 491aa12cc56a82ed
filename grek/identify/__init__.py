"""Identification of a body from its logs (docs/identify.md): `grek identify`."""
