"""Whether a model games what it is measured by, in five kinds of task."""
