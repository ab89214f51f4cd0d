"""Who has a login at Spotify: for now LISTENER alone."""

from pathlib import Path

from lakehouse.settings import Settings


def listeners_with_login(settings: Settings) -> list[str]:
    """Who has a login."""
    return [settings.listener] if settings.spotify_token_file.exists() else []


def forget_login(settings: Settings, listener: str) -> list[Path]:
    """Delete a listener's login; returns the deleted files."""
    deleted = [settings.spotify_token_file] if listener in listeners_with_login(settings) else []
    for file in deleted:
        file.unlink()
    return deleted


def rename_login(settings: Settings, old: str, new: str) -> None:
    """Give a login to another name: nothing to do while it is LISTENER's, whatever their name."""
