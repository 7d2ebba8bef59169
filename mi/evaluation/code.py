"""The program in an answer: taken out of its fence, and parsed."""

import ast
import re
import warnings


def code_of(answer: str) -> str:
    """The code of an answer: what stands between the first fence and the next, or all of it."""
    found = re.search(r"```[a-zA-Z]*\n(.*?)(?:```|\Z)", answer, re.S)
    return found[1] if found else answer


def parsed(code: str) -> ast.Module | None:
    """The tree of Python code that does something (a name alone is a word, not a program); None for anything else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # an odd escape in a model's string is no business of ours
            tree = ast.parse(code.strip() + "\n")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    words = all(isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call) for node in tree.body)
    return None if words else tree
