"""The base of every error whose text is for the user."""


class UserError(Exception):
    """What is wrong, where, and what to do: the text is the whole message, and no traceback is needed beside it."""
