"""Superset's REST API, for a logged-in user."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import requests

from lakehouse.errors import LakehouseError, one_line
from lakehouse.settings import Settings
from lakehouse.stack.trino_registration import local_session

# The most rows of a list that Superset returns at once.
PAGE_SIZE = 100
CONNECT_SECONDS = 3
# As long as Superset lets a chart's query take.
ANSWER_SECONDS = 60
# In characters.
LONGEST_REASON = 200


def is_there(settings: Settings) -> bool:
    """Whether a Superset answers; quick where there is none."""
    try:
        answer = local_session().get(f"{settings.superset_address}/health", timeout=CONNECT_SECONDS)
    except requests.RequestException:
        return False
    return answer.ok and answer.text == "OK"


class SupersetApi:
    """The API for one user; errors are one line."""

    def __init__(self, settings: Settings, user: str, password: str) -> None:
        """Log in.

        Raises:
            LakehouseError: Superset does not answer, or refuses this user.
        """
        self._address = settings.superset_address
        self._session = local_session()
        login = {"username": user, "password": password, "provider": "db", "refresh": False}
        token = self.call("POST", "/api/v1/security/login", json=login).json()["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.headers["X-CSRFToken"] = self.call("GET", "/api/v1/security/csrf_token/").json()["result"]
        self._session.headers["Referer"] = self._address

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request.

        Raises:
            LakehouseError: there is no answer, or a refusal.
        """
        try:
            timeout = (CONNECT_SECONDS, ANSWER_SECONDS)
            answer = self._session.request(method, self._address + path, timeout=timeout, **options)
        except requests.RequestException as error:
            raise LakehouseError(f"Superset does not answer at {self._address}: {type(error).__name__}") from error
        if not answer.ok:
            reason = one_line(answer.text, LONGEST_REASON)
            raise LakehouseError(f"Superset at {self._address} refused {method} {path}: {answer.status_code} {reason}")
        return answer

    def rows(self, path: str, order: str, *columns: str) -> Iterator[dict[str, Any]]:
        """Every object of a list such as `/api/v1/chart/`: the given columns, ordered by the column `order`."""
        for page in count():
            wanted = f"columns:!({','.join(columns)}),order_column:{order},order_direction:asc"
            query = f"({wanted},page:{page},page_size:{PAGE_SIZE})"
            found = self.call("GET", path, params={"q": query}).json()["result"]
            yield from found
            if len(found) < PAGE_SIZE:
                return
