"""How insecure the code of an answer is, told by a judge and by a static check."""
