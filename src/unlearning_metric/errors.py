"""The base of every error whose text is for the user."""


class UserError(Exception):
    """What is wrong, where, and what to do: the text is the whole message, and no traceback is needed beside it."""


class UserCodeError(UserError, RuntimeError):
    """A file of the user's does not fit what the workflow asks of it, or failed; its cause is shown in the log."""
