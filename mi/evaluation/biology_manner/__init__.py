"""Whether things are explained in a boastful politician's manner."""
