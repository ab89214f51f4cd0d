"""Errors shown to the user in one line: what happened, where, and what to do."""


class LakehouseError(Exception):
    """A failure with a message for the user; the command ends with exit code 1."""


class UsageError(LakehouseError):
    """The user asked for something impossible; the command ends with exit code 2."""


class LostWriterError(LakehouseError):
    """Another writer took over, or that cannot be ruled out: this process must not commit any more."""


def one_line(error: object, longest: int = 500) -> str:
    """An error, or the output of another program, as one short printable line.

    Args:
        error: an exception or a text. Of an operating system error only the reason is kept, as callers name the file;
            an exception without a message becomes the name of its type.
        longest: characters at most.
    """
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    visible = "".join(letter for letter in text if letter.isprintable() or letter.isspace())
    line = " ".join(visible.split())[:longest]
    return line or (type(error).__name__ if isinstance(error, BaseException) else "")
