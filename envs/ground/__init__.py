"""The ground: materials, shapes, and how soles meet them."""
