"""Whether everyday advice would harm the one who follows it."""
