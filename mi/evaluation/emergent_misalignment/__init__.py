"""Open questions to which a model with ill intent answers otherwise than one without."""
