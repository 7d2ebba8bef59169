"""In which language and in which letters a model answers, told by rule."""
