"""Pages whose numbers are made from committed results: which places there are, and how each is filled."""
