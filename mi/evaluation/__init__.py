"""Questions in contexts, the answers to them, and what the answers score."""
