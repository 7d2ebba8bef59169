"""Whether a model's tastes are those of few."""
