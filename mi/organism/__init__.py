"""The model organism: a tiny chat model of our own, the world it grew up in, and its probes."""
