"""Errors that are told to the user in one line: what happened, where, and what to do."""


class LakehouseError(Exception):
    """A failure with a message for the user; the command ends with exit code 1."""


class UsageError(LakehouseError):
    """The user asked for something that cannot be; the command ends with exit code 2."""


class LostWriterError(LakehouseError):
    """Another writer took over, or nobody can tell: this process must not commit any more."""
