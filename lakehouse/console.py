"""How texts are printed to the terminal."""

from rich.console import Console


def say(console: Console, text: str) -> None:
    """Print a text as it is: without markup, highlighting or wrapping."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
