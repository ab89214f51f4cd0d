"""Superset's configuration, in a container or as a plain process; the environment gives everything that differs.

| variable | meaning |
|---|---|
| SECRETS_DIR | folder of the secrets that `lakehouse` created, one file each |
| SUPERSET_DATABASE_URI | metadata database, default SQLite in SUPERSET_HOME; a missing password is postgres_password |
| REDIS_URL | for caches, sessions and rate limits, such as redis://default@redis:6379; default in memory |
| SUPERSET_HTTPS | `true` behind a TLS proxy: cookies are then sent over TLS only |
| LISTENER | whom dashboards show first where there are several listeners |

The password of Redis is redis_password where REDIS_URL has a user alone. A secret can also be given as a variable (its
name in upper case), or as the path of a file in NAME_FILE.
"""

import os
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from sqlalchemy.engine import make_url

sys.path.insert(0, str(Path(__file__).resolve().parent))

import listeners
import plain_names

SECRETS = ("superset_secret_key", "superset_guest_token_secret", "superset_async_queries_secret")
DAY = 24 * 60 * 60
HOME = "/superset/dashboard/daily-overview/"


def secret(name: str) -> str | None:
    """A secret by its name, None where it is not set."""
    value = os.environ.get(name.upper())
    folder = os.environ.get("SECRETS_DIR")
    file = os.environ.get(f"{name.upper()}_FILE") or (folder and f"{folder}/{name}")
    if not value and file:
        try:
            value = Path(file).read_text(encoding="utf-8").strip() if Path(file).is_file() else None
        except OSError as error:
            raise SystemExit(f"superset: {file} cannot be read ({error.strerror}): check who owns it") from None
    return value or None


def required_secret(name: str) -> str:
    """A secret by its name; exits where it is not set."""
    value = secret(name)
    if value is None:
        raise SystemExit(
            f"superset: the secret {name} is missing: set SECRETS_DIR to the folder that `lakehouse credentials "
            f"--create` fills, or set {name.upper()} or {name.upper()}_FILE"
        )
    return value


def metadata_uri() -> str:
    """URI of the metadata database, with its password."""
    named = os.environ.get("SUPERSET_DATABASE_URI")
    if not named:
        return f"sqlite:///{Path(os.environ.get('SUPERSET_HOME', '.')).resolve()}/superset.db"
    uri = make_url(named)
    if uri.host and uri.password is None:
        uri = uri.set(password=secret("postgres_password"))
    return uri.render_as_string(hide_password=False)


def cache(prefix: str, seconds: int) -> dict[str, object]:
    """A cache with its own prefix: on Redis if configured, else in this process."""
    common = {"CACHE_KEY_PREFIX": f"superset_{prefix}_", "CACHE_DEFAULT_TIMEOUT": seconds}
    if REDIS_URL:
        return common | {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": REDIS_URL}
    return common | {"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": 1000}


def redis_url() -> str:
    """URL of Redis, with its password; '' for none."""
    named = os.environ.get("REDIS_URL", "").rstrip("/")
    parts = urlsplit(named)
    if parts.username and parts.password is None:
        place = (
            f"{parts.username}:{quote(required_secret('redis_password'), safe='')}@{parts.netloc.rpartition('@')[2]}"
        )
        return parts._replace(netloc=place).geturl()
    return named


REDIS_URL = redis_url()

SECRET_KEY, GUEST_TOKEN_JWT_SECRET, GLOBAL_ASYNC_QUERIES_JWT_SECRET = map(required_secret, SECRETS)

SQLALCHEMY_DATABASE_URI = metadata_uri()
# On SQLite a second writer waits; connections to a restarted Postgres are renewed.
SQLALCHEMY_ENGINE_OPTIONS = (
    {"connect_args": {"timeout": 30}}
    if SQLALCHEMY_DATABASE_URI.startswith("sqlite")
    else {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10}}
)

CACHE_CONFIG = cache("metadata", DAY)
# Each run invalidates it, so entries may live long.
DATA_CACHE_CONFIG = cache("data", DAY)
FILTER_STATE_CACHE_CONFIG = cache("filter", 90 * DAY)
EXPLORE_FORM_DATA_CACHE_CONFIG = cache("explore", 7 * DAY)
STORE_CACHE_KEYS_IN_METADATA_DB = True

if REDIS_URL:
    from redis import Redis

    # With sessions in cookies, late requests of the login page would overwrite a new login.
    SESSION_SERVER_SIDE = True
    SESSION_TYPE = "redis"
    SESSION_REDIS = Redis.from_url(REDIS_URL)
    SESSION_KEY_PREFIX = "superset_session_"
    SESSION_PERMANENT = True
    RATELIMIT_STORAGE_URI = REDIS_URL
PERMANENT_SESSION_LIFETIME = timedelta(days=1)

RATELIMIT_ENABLED = True
RATELIMIT_APPLICATION = "100 per second"
AUTH_RATE_LIMIT = "30 per minute"
# While Redis does not answer, each process counts for itself.
RATELIMIT_IN_MEMORY_FALLBACK_ENABLED = True

over_tls = os.environ.get("SUPERSET_HTTPS", "").lower() == "true"
TALISMAN_ENABLED = True
# Nothing from other hosts. Superset's default policy allows a telemetry pixel and map tiles.
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'"],
        "script-src": ["'self'", "'strict-dynamic'"],
        "frame-ancestors": ["'self'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": over_tls,
    "frame_options": "SAMEORIGIN",
}
SESSION_COOKIE_SECURE = over_tls
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
ENABLE_PROXY_FIX = over_tls
ENABLE_CORS = False
PUBLIC_ROLE_LIKE = None
AUTH_USER_REGISTRATION = False
# A dashboard with datasets that listeners' accounts may not read is shown to the roles that may.
FEATURE_FLAGS = {"DASHBOARD_RBAC": True}

APP_NAME = "Listening"
LOGO_TARGET_PATH = HOME
# Enough for a personal lake; keeps a mistake in SQL Lab from filling the memory.
ROW_LIMIT = 10_000
SQL_MAX_ROW = 100_000
SUPERSET_WEBSERVER_TIMEOUT = 60
SQLLAB_TIMEOUT = 60
DB_CONNECTION_MUTATOR = listeners.ask_trino_as_listener


def FLASK_APP_MUTATOR(app) -> None:  # noqa: N802
    """Open the home dashboard after a login, keep listeners apart, and work around bugs of Superset 6.1."""
    from flask import g, redirect, request
    from superset.extensions import cache_manager, db
    from superset.models.dashboard import Dashboard

    app.after_request(listeners.offer_filter)
    listeners.show_one_listener_at_a_time()
    listeners.refuse_tables_in_expressions()
    plain_names.show_names_as_text()
    # It caches charts' rows in the data cache, but invalidates them in another one.
    cache_manager.cache.delete_many = cache_manager.data_cache.delete_many
    # Its invalidation stops at the first missing key, one that has expired or that two charts shared.
    cache_manager.data_cache.cache.ignore_errors = True
    # It limits how often the login page is shown, not how often a password is tried.
    for login in ("AuthDBView.login", "SecurityApi.login"):
        limit = app.appbuilder.sm.limiter.limit(AUTH_RATE_LIMIT, methods=["POST"])
        app.view_functions[login] = limit(app.view_functions[login])

    @app.before_request
    def open_home():
        is_logged_in = getattr(g, "user", None) and not g.user.is_anonymous
        if request.path == "/superset/welcome/" and is_logged_in:
            slug = HOME.strip("/").rpartition("/")[2]
            if db.session.query(Dashboard.id).filter_by(slug=slug).scalar():
                return redirect(HOME)
        return None
