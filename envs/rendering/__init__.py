"""Rendering: robot and ground of a world as images, for films and for `render` of environments."""
