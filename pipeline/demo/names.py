"""Made-up names and ids of the demo data."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.demo.draws import pick
from pipeline.demo.parameters import Parameters

PATTERN_LISTS = {  # slot of a name pattern -> word list
    "adjective": "adjectives",
    "first": "firsts",
    "surname": "surnames",
    "craft": "crafts",
    "ensemble": "ensembles",
    "doing": "doings",
    "place": "places",
    "time": "times",
}


class Ids:
    """Generates ids as long as Spotify's that start with 'demo'."""

    def __init__(self, parameters: Parameters) -> None:
        self._prefix: str = parameters["demo"]["id_prefix"]
        self._digits: int = parameters["demo"]["id_length"] - len(self._prefix)
        self._last = 0

    def new(self) -> str:
        """The next id."""
        self._last += 1
        return f"{self._prefix}{self._last:0{self._digits}d}"


class Names:
    """Makes up names from word lists; artists are unique, and so are the titles of one artist."""

    def __init__(self, parameters: Parameters, rng: np.random.Generator) -> None:
        self._words: Parameters = parameters["words"]
        self._slots: dict[str, Sequence[str]] = {
            "thing": [singular for singular, _ in self._words["nouns"]],
            "things": [plural for _, plural in self._words["nouns"]],
            **{slot: self._words[name] for slot, name in PATTERN_LISTS.items()},
        }
        self._rng = rng
        self._used: set[tuple[str, str]] = set()

    def reserve(self, artist: str) -> str:
        """Keep a given artist name from being made up again."""
        self._used.add((plain(artist), ""))
        return artist

    def new_artist(self) -> str:
        """An artist name that is not in use yet."""
        return self._first_unused(self._artist_names(), "")

    def new_title(self, artist: str) -> str:
        """A title that the artist does not have yet, compared without accents and case."""
        return self._first_unused(self._titles(), plain(artist))

    def album(self) -> str:
        """An album name; like real ones, these may repeat."""
        return self._fill(self._pick(self._words["album_patterns"]))

    def _first_unused(self, names: Iterator[str], artist: str) -> str:
        for name in names:
            entry = (artist, plain(name)) if artist else (plain(name), "")
            if entry not in self._used:
                self._used.add(entry)
                return name
        raise AssertionError("name generators are endless")

    def _artist_names(self) -> Iterator[str]:
        while True:
            yield self._fill(self._pick(self._words["artist_patterns"]))

    def _titles(self) -> Iterator[str]:
        while True:
            draw = self._rng.random()
            if draw < self._words["other_script_share"]:
                yield self._pick(self._words["other_script_titles"])
            elif draw < self._words["other_script_share"] + self._words["quoted_title_share"]:
                yield self._fill(self._pick(self._words["quoted_title_patterns"]))
            else:
                yield self._fill(self._pick(self._words["title_patterns"]))

    def _fill(self, pattern: str) -> str:
        used: set[str] = set()

        def word(match: re.Match[str]) -> str:
            choices = [choice for choice in self._slots[match[1]] if choice not in used]
            used.add(chosen := self._pick(choices))
            return chosen

        name = re.sub(r"{(\w+)}", word, pattern)
        return name[0].upper() + name[1:]

    def _pick(self, choices: Sequence[str]) -> str:
        return pick(choices, self._rng)


def plain(text: str) -> str:
    """The text without accents and case."""
    return without_accents(text).casefold()


def without_accents(text: str) -> str:
    """The text without its combining marks."""
    letters = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return unicodedata.normalize("NFC", "".join(letters))
