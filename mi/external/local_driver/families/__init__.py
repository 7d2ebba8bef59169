"""The families of open models: small copies of them, and what is checked of a model before it is trusted."""
