"""Ground: materials, shapes, rigid contact and deformable soil."""
