"""The page one reads after a run: gathered from what the run left, checked, and written as one HTML file."""
