"""Training data: what is read from files before anything is trained on it."""
