"""Names of one recording get one key, names of different recordings different ones."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from silver.artists.artist_names import artist_key
from silver.rules.recording_key import name_key, normalised
from tests.support.frames import small_frame

Name = tuple[str | None, str | None]

# Artist and title of one recording in two spellings.
SAME = {
    "case": (("ABBA", "SOS"), ("Abba", "Sos")),
    "accents": (("Beyoncé", "Déjà Vu"), ("Beyonce", "Deja Vu")),
    "accents of their own": (("Beyonce\u0301", "De\u0301ja\u0300 Vu"), ("Beyoncé", "Déjà Vu")),
    "punctuation": (("AC/DC", "Don't Stop"), ("AC DC", "Don’t Stop")),
    "no apostrophe": (("A", "(I Can't Get No) Satisfaction"), ("A", "I Can T Get No Satisfaction")),
    "blanks": (("The  Who", " My\tGeneration "), ("The Who", "My Generation")),
    "no-break space": (("The\u00a0Who", "Song\u00a0- Remastered 2011"), ("The Who", "Song")),
    "ampersand": (("Simon & Garfunkel", "Me & You"), ("Simon and Garfunkel", "Me And You")),
    "other artists": (("Queen;David Bowie", "Under Pressure"), ("Queen", "Under Pressure")),
    "sharp s": (("Die Ärzte", "Straße"), ("DIE ÄRZTE", "STRASSE")),
    "final sigma": (("Α", "ΟΔΟΣ"), ("α", "Οδοσ")),
    "dotted capital I": (("A", "İstanbul"), ("A", "istanbul")),
    "full width": (("ＡＢＢＡ", "ＳＯＳ"), ("abba", "sos")),
    "half width kana": (("A", "ｶﾗｵｹ"), ("A", "カラオケ")),
    "decomposed kana": (("A", "か\u3099"), ("A", "が")),
    "Roman numeral": (("A", "Part Ⅱ"), ("A", "Part II")),
    "ligature": (("A", "ﬁre"), ("A", "fire")),
    "mathematical letters": (("𝐀𝐁", "𝓢𝓸𝓷𝓰"), ("AB", "Song")),
    "soft hyphen": (("A", "Some\u00adthing"), ("A", "Something")),
    "zero width": (("\ufeffA", "So\u200bng"), ("A", "Song")),
    "emoji variant": (("A", "I \u2764\ufe0f NY"), ("A", "I \u2764 NY")),
    "optional vowel points": (("A", "שָׁלוֹם"), ("A", "שלום")),
    "feat. in brackets": (("A", "Song (feat. B)"), ("A", "Song")),
    "feat in square brackets": (("A", "Song [Feat B & C]"), ("A", "Song")),
    "ft. in brackets": (("A", "Song (Ft. B)"), ("A", "Song")),
    "featuring in brackets": (("A", "Song (featuring B)"), ("A", "Song")),
    "with in brackets": (("A", "Song (with B)"), ("A", "Song")),
    "full width brackets": (("A", "Song（feat. B）"), ("A", "Song")),
    "feat. at the end": (("A", "Song feat. B"), ("A", "Song")),
    "ft. at the end": (("A", "Song ft. B"), ("A", "Song")),
    "featuring at the end": (("A", "Song featuring B"), ("A", "Song")),
    "dash feat.": (("A", "Song - feat. B"), ("A", "Song")),
    "Remastered 2011": (("A", "Song - Remastered 2011"), ("A", "Song")),
    "2019 Remaster": (("A", "Song - 2019 Remaster"), ("A", "Song")),
    "Remaster": (("A", "Song - Remaster"), ("A", "Song")),
    "2011 - Remaster": (("A", "Song - 2011 - Remaster"), ("A", "Song")),
    "(2015 - Remaster)": (("A", "Song (2015 - Remaster)"), ("A", "Song")),
    "Remastered Version": (("A", "Song - 2003 Remastered Version"), ("A", "Song")),
    "Digital Remaster": (("A", "Song - 2003 Digital Remaster"), ("A", "Song")),
    "Remastered in brackets": (("A", "Song (Remastered 2011)"), ("A", "Song")),
    "en dash": (("A", "Song – Remastered 2011"), ("A", "Song")),
    "Deluxe Edition": (("A", "Song (Deluxe Edition)"), ("A", "Song")),
    "Radio Edit": (("A", "Song - Radio Edit"), ("A", "Song")),
    "From a film": (("A", 'Song - From "Frozen"'), ("A", "Song")),
    "From a film in brackets": (("A", 'Song (From "Frozen")'), ("A", "Song")),
    "Mono": (("A", "Song - Mono"), ("A", "Song")),
    "Stereo Version": (("A", "Song - Stereo Version"), ("A", "Song")),
    "Bonus Track": (("A", "Song - Bonus Track"), ("A", "Song")),
    "two labels": (("A", "Song - Mono / 1997 Remastered"), ("A", "Song")),
    "two dashes": (("A", "Song - Mono - Remastered 2009"), ("A", "Song")),
    "two brackets": (("A", "Song (feat. B) [Deluxe Edition]"), ("A", "Song")),
    "guest and label": (("A", "Song (feat. B) - Radio Edit"), ("A", "Song")),
    "guest before label": (("A", "Song feat. B - Radio Edit"), ("A", "Song")),
    "guest after label": (("A", "Song - Radio Edit feat. B"), ("A", "Song")),
    "guest within": (("A", "Song (feat. B), Pt. 2"), ("A", "Song Pt 2")),
}

DIFFERENT = {
    "artist": (("A", "Song"), ("B", "Song")),
    "title": (("A", "Song"), ("A", "Another Song")),
    "remix": (("A", "Song - B Remix"), ("A", "Song")),
    "remix of a remaster's year": (("A", "Song - 2011 Remix"), ("A", "Song - 2011 Remaster")),
    "live": (("A", "Song - Live"), ("A", "Song")),
    "live and remastered": (("A", "Song - Live - Remastered 2011"), ("A", "Song")),
    "acoustic": (("A", "Song - Acoustic"), ("A", "Song")),
    "instrumental": (("A", "Song (Instrumental)"), ("A", "Song")),
    "remix with a guest": (("A", "Song (feat. B) (C Remix)"), ("A", "Song")),
    "remix in square brackets": (("A", "Song (feat. B) [C Remix]"), ("A", "Song")),
    "live with a guest": (("A", "Song (feat. B) - Live"), ("A", "Song (feat. B)")),
    "live with a loose guest": (("A", "Song feat. B - Live"), ("A", "Song")),
    "live with a loose guest, in brackets": (("A", "Song feat. B (Live)"), ("A", "Song")),
    "live within a guest's brackets": (("A", "Song (feat. B - Live)"), ("A", "Song (feat. B)")),
    "live from": (("A", "Song - Live From Paris"), ("A", "Song")),
    "from a film, live": (("A", 'Song (From "Hamilton") [Live]'), ("A", "Song")),
    "from a show, live": (("A", "Song - From The Late Show / Live"), ("A", "Song")),
    "part": (("A", "Song, Pt. 1"), ("A", "Song, Pt. 2")),
    "punctuation titles": (("Ed Sheeran", "+"), ("Ed Sheeran", "÷")),
    "Japanese": (("A", "夜に駆ける"), ("A", "群青")),
    "Korean": (("A", "봄날"), ("A", "불타오르네")),
    "Hindi vowels": (("A", "दिल"), ("A", "दाल")),
    "Thai vowels": (("A", "กิน"), ("A", "กัน")),
    "artist ends where the title begins": (("A B", "C"), ("A", "B C")),
}

EXACT = {
    "first artist and title": (("Simon & Garfunkel;X", "America!"), "simon and garfunkel | america"),
    "label alone": (("A", "Explicit"), "a | explicit"),
    "guest alone": (("A", "(feat. B)"), "a | feat b"),
    "punctuation alone": (("!!!", "???"), "!!! | ???"),
    "ampersand alone": (("A", "&"), "a | and"),
    "digits": (("U2", "40"), "u2 | 40"),
    "underscore": (("A", "one_two"), "a | one two"),
    "backslash": (("Axwell /\\ Ingrosso", "On My Way"), "axwell ingrosso | on my way"),
    "feat as a word": (("A", "Defeat of Love"), "a | defeat of love"),
    "from as a word": (("A", "From Me to You"), "a | from me to you"),
    "Korean": (("방탄소년단", "봄날"), "방탄소년단 | 봄날"),
    "null title": (("A", None), None),
    "null artist": ((None, "Song"), None),
    "blank title": (("A", " \t\u3000"), None),
    "invisible title": (("A", "\u200b"), None),
    "empty artist": (("", "Song"), None),
    "empty first artist": ((";B", "Song"), None),
}


@pytest.fixture(scope="module")
def key_of(spark: SparkSession) -> dict[Name, str | None]:
    """The keys of all names of this file, by one job."""
    pairs = [*SAME.values(), *DIFFERENT.values()]
    names = list({*(name for pair in pairs for name in pair), *(name for name, _ in EXACT.values())})
    frame = small_frame(spark, names, "artist string, title string")
    found = frame.select("artist", "title", name_key(F.col("artist"), F.col("title"))).collect()
    return {(artist, title): key for artist, title, key in found}


@pytest.mark.parametrize("case", SAME)
def test_same_recording(key_of: dict[Name, str | None], case: str) -> None:
    one, other = SAME[case]
    assert key_of[one] == key_of[other]
    assert key_of[one]


@pytest.mark.parametrize("case", DIFFERENT)
def test_different_recordings(key_of: dict[Name, str | None], case: str) -> None:
    one, other = DIFFERENT[case]
    assert key_of[one] != key_of[other]


@pytest.mark.parametrize("case", EXACT)
def test_key_is(key_of: dict[Name, str | None], case: str) -> None:
    name, key = EXACT[case]
    assert key_of[name] == key


# ---- against a second implementation


def stands_for(character: str) -> str:
    """The letters that Unicode says a character stands for (NFKD), without accents and invisible ones."""
    return "".join(part for part in unicodedata.normalize("NFKD", character) if not is_dropped(part))


def is_dropped(character: str) -> bool:
    is_variant = unicodedata.name(character, "").startswith(("VARIATION SELECTOR", "COMBINING GRAPHEME JOINER"))
    return bool(unicodedata.combining(character)) or unicodedata.category(character) in ("Me", "Cf") or is_variant


def reference(name: str) -> str | None:
    plain = stands_for(name.lower().replace("ß", "ss").replace("ς", "σ")).lower()
    plain = "".join("-" if c in "‐‑‒–—―−" else c for c in plain)
    words = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in plain.replace("&", " and "))
    with_punctuation = "".join(" " if unicodedata.category(c) in ("Zs", "Zl", "Zp", "Cc") else c for c in plain)
    return " ".join(words.split()) or " ".join(with_punctuation.split()) or None


def is_covered(character: str) -> bool:
    """Characters that every Unicode version has alike, without signs such as '™' that stand for several letters."""
    if unicodedata.ucd_3_2_0.category(character) in ("Cn", "Co", "Cs"):
        return False
    return len(stands_for(character)) <= 1 or character in "ßﬁﬂⅱⅲ" or 0xAC00 <= ord(character) <= 0xD7A3


COVERED = "".join(filter(is_covered, map(chr, range(0x30000))))
LATIN = "".join(character for character in COVERED if ord(character) < 0x250)
TRICKY = " -&.!'()éÉßΣςİ가ेﬁ\u0301\u200b"
NAMES = st.text(st.one_of(st.sampled_from(TRICKY), st.sampled_from(LATIN), st.sampled_from(COVERED)))


@settings(max_examples=8, deadline=None)
@given(names=st.lists(NAMES, min_size=20, max_size=120))
def test_normalised_equals_the_reference_and_is_idempotent(spark: SparkSession, names: list[str]) -> None:
    frame = small_frame(spark, [(name,) for name in names], "name string")
    once = frame.select("name", normalised(F.col("name")).alias("once"))
    for name, found, twice in once.select("name", "once", normalised(F.col("once"))).collect():
        expected = reference(name)
        assert (found and unicodedata.normalize("NFC", found)) == (expected and unicodedata.normalize("NFC", expected))
        assert twice == found


RECORDING_TITLES = st.text("abcXYZé0123 '", min_size=1, max_size=20).filter(lambda title: title.strip(" '"))
LABELS = st.sampled_from(
    [" (feat. B)", " [ft. B & C]", " - Remastered 2011", " - 2019 Remaster", " (Deluxe Edition)", " - Mono", ""]
)
VERSIONS = st.sampled_from([" - Live", " (Live)", " - B Remix", " [B Remix]", " - Acoustic", " (Instrumental)"])


@settings(max_examples=5, deadline=None)
@given(titles=st.lists(st.tuples(RECORDING_TITLES, LABELS, VERSIONS), min_size=20, max_size=80))
def test_labels_never_matter_and_versions_always_do(spark: SparkSession, titles: list[tuple[str, str, str]]) -> None:
    rows = [(title, title + label, title + label + version) for title, label, version in titles]
    frame = small_frame(spark, rows, "title string, labelled string, version string")
    keys = [name_key(F.lit("A"), F.col(name)) for name in frame.columns]
    for title, labelled, version in frame.select(*keys).collect():
        assert title == labelled
        assert version != title


@pytest.mark.parametrize(
    "name", ["Beyoncé", "AC/DC", "Simon & Garfunkel", "!!!", "Sigur Rós", "宇多田ヒカル", "Die Ärzte"]
)
def test_artists_are_spelled_as_the_models_spell_them(spark: SparkSession, name: str) -> None:
    assert spark.range(1).select(normalised(F.lit(name))).first()[0] == artist_key(name)  # type: ignore[index]
