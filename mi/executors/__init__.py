"""Where work is done: in worker processes of this machine, or as units on the nodes of a cluster."""
