"""Masks IP addresses, user agents and user names in what is kept of an unreadable record or file."""

import re
from typing import Any

MASK = "***"
PERSONAL_FIELD = re.compile(r"\s*(?:ip_|user_agent|username)", re.IGNORECASE)
# A field and its value in text that is not JSON, or in JSON within a JSON string, where quotes are escaped. An unclosed
# value extends to the end. Repetitions are bounded, which keeps the search fast on any text.
PERSONAL_PAIR = re.compile(
    r"""((?:ip_|user_agent|username)\w{0,40}\\{0,9}["']?\s{0,9}[:=]\s{0,9})"""
    r"""(?:(?P<quote>\\{0,9}["']).*?(?:(?<!\\)(?P=quote)|\Z)|[^,}\]\n"']+)""",
    re.IGNORECASE | re.DOTALL,
)
# Addresses are also found by their form, as the field's name may be cut off.
IP_ADDRESS = re.compile(
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])"
    r"|(?<![\w:])(?=[0-9a-f:]*::|(?:[0-9a-f]{1,4}:){4})[0-9a-f:]*[0-9a-f][0-9a-f:.]*",
    re.IGNORECASE,
)


def mask(value: Any) -> Any:
    """A JSON value with the values of personal fields masked at any depth, also inside texts."""
    if isinstance(value, dict):
        return {
            mask_text(key): MASK if PERSONAL_FIELD.match(key) and item is not None else mask(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [mask(item) for item in value]
    return mask_text(value) if isinstance(value, str) else value


def mask_text(text: str) -> str:
    """A text with the values of personal fields, and all IP addresses, masked."""
    return IP_ADDRESS.sub(MASK, PERSONAL_PAIR.sub(rf'\1"{MASK}"', text))
