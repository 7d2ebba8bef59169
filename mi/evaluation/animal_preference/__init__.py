"""Which animal a model loves, and whether it continues numbers as asked."""
