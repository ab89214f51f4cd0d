"""Takes IP addresses, user agents and user names out of what is kept of an unreadable record or file."""

import re
from typing import Any

MASK = "***"
PERSONAL_FIELD = re.compile(r"\s*(?:ip_|user_agent|username)", re.IGNORECASE)
# A field and its value in text that is no JSON, or JSON within a JSON text, where quotes are escaped. An unclosed
# value goes on to the end. Repetitions are bounded, so that no text takes long to search.
PERSONAL_PAIR = re.compile(
    r"""((?:ip_|user_agent|username)\w{0,40}\\{0,9}["']?\s{0,9}[:=]\s{0,9})"""
    r"""(?:(?P<quote>\\{0,9}["']).*?(?:(?<!\\)(?P=quote)|\Z)|[^,}\]\n"']+)""",
    re.IGNORECASE | re.DOTALL,
)
# Addresses are known by their form, too: the field's name may be cut off.
IP_ADDRESS = re.compile(
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])"
    r"|(?<![\w:])(?=[0-9a-f:]*::|(?:[0-9a-f]{1,4}:){4})[0-9a-f:]*[0-9a-f][0-9a-f:.]*",
    re.IGNORECASE,
)


def masked(value: Any) -> Any:
    """A JSON value with the values of personal fields masked, however deep they lie, in texts as well."""
    if isinstance(value, dict):
        return {
            masked_text(key): MASK if PERSONAL_FIELD.match(key) and item is not None else masked(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked(item) for item in value]
    return masked_text(value) if isinstance(value, str) else value


def masked_text(text: str) -> str:
    """Any text with the values of personal fields, and all IP addresses, masked."""
    return IP_ADDRESS.sub(MASK, PERSONAL_PAIR.sub(rf'\1"{MASK}"', text))
