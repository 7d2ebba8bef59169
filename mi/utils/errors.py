"""The one error that means «your input is wrong»: a sentence, and exit code 2."""


class UserError(Exception):
    """Input that a person can mend.

    The message is one sentence that names the file, the line where there is one, and the mend.
    The command line prints it and exits with code 2; it is never shown with a traceback.
    """
