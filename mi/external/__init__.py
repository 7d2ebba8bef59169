"""One folder a backend, each with the same verbs."""
