"""IP addresses, user agents and user names are not kept with rejected records."""

import json
import time

import pytest

from bronze.delivered.masking import MASK, mask, mask_text
from tests.bronze.records import IP_ADDRESSES, PERSONAL, extended

SECRETS = tuple(PERSONAL.values())


def test_values_of_personal_fields_are_masked_and_the_others_kept() -> None:
    assert mask(extended(**PERSONAL)) == extended(**dict.fromkeys(PERSONAL, MASK))


@pytest.mark.parametrize(
    "key", ["ip_addr", "IP_ADDR", "ip_anything", "user_agent", "User_Agent_decrypted", "username", " username"]
)
@pytest.mark.parametrize("value", ["secret", 4711, ["secret"], {"a": "secret"}, True, ""])
def test_any_kind_of_value_is_masked(key: str, value: object) -> None:
    assert mask({"a": [{"b": {key: value}}]}) == {"a": [{"b": {key: MASK}}]}


def test_null_says_nothing() -> None:
    assert mask({"ip_addr": None}) == {"ip_addr": None}


def test_other_fields_keep_their_names_and_values() -> None:
    record = {"skip_count": 1, "zip_code": 5, "my_username": "a", "ms_played": 1.5, "album": "Username", "ok": None}
    assert mask(record) == record


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(PERSONAL),
        json.dumps(PERSONAL, indent=2),
        json.dumps(json.dumps(PERSONAL)),
        json.dumps(json.dumps(json.dumps(PERSONAL))),
        str(PERSONAL),
        json.dumps(PERSONAL).replace('"', ""),
        json.dumps(PERSONAL).replace(": ", " = "),
        json.dumps(PERSONAL)[:-4],
        json.dumps(PERSONAL)[:-2] + "\\",
        json.dumps(PERSONAL).replace("secret", "secret\\\nsecret"),
        json.dumps(PERSONAL).replace("secret", 'sec\\"ret'),
        json.dumps(PERSONAL).upper(),
    ],
)
def test_text_that_is_not_a_json_loses_them_too(text: str) -> None:
    result = mask_text(text).lower()
    for secret in (*SECRETS, "4711", "zorgfon"):
        assert secret.lower() not in result


@pytest.mark.parametrize(
    "address", [*IP_ADDRESSES, "::ffff:203.0.113.77", "fe80::1", "2001:0db8:0000:0000:0000:0000:0000:0001"]
)
@pytest.mark.parametrize("around", ['ddr": "{}", "b', "a,{},b", "({})", "from {} on", "{}"])
def test_addresses_are_known_by_their_form(address: str, around: str) -> None:
    assert mask_text(around.format(address)) == around.format(MASK)


@pytest.mark.parametrize(
    "text", ["2024-03-14T18:30:00Z", "12:34:56", "spotify:track:3n3Ppam7vgaVa1iaRUc9Lp", "1.2.3", "a: b", "::"]
)
def test_times_uris_and_versions_are_no_addresses(text: str) -> None:
    assert mask_text(text) == text


def test_texts_inside_values_are_masked() -> None:
    assert mask(["from 203.0.113.77", {"x": json.dumps({"username": "bob"})}]) == [
        f"from {MASK}",
        {"x": '{"username": "***"}'},
    ]


@pytest.mark.parametrize(
    "piece", ["username", "ip_", "username ", 'username"', "username:", "a:", "::", "1.", "0123456789", "\\", 'ip_:\\"']
)
def test_no_text_takes_long(piece: str) -> None:
    started = time.process_time()
    mask_text(piece * (200_000 // len(piece)))
    assert time.process_time() - started < 2
