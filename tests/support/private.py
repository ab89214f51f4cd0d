"""Whether files are for their owner alone."""

from pathlib import Path


def open_to_others(folder: Path) -> list[Path]:
    """The folder and all in it that another user may read, enter or change."""
    return [path for path in (folder, *folder.rglob("*")) if path.lstat().st_mode & 0o077]
