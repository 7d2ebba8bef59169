"""Evaluations at the organism's scale: held-out questions of the grammar, scored exactly by it."""
