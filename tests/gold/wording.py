"""Numbers in sentences, written a second time so that tests do not check the texts with the code that made them."""

from decimal import ROUND_HALF_UP, Decimal


def number(value: float, digits: int = 2) -> str:
    """With so many decimals, halves rounded up."""
    return str(Decimal(repr(round(float(value), 9))).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def percent(share: float) -> str:
    """As a whole percentage."""
    return f"{number(100 * share, digits=0)} %"


def compared(difference: float) -> str:
    """Above, below or level with."""
    size = number(abs(difference))
    if size == "0.00":
        return "level with"
    return f"{size} {'above' if difference > 0 else 'below'}"
