"""Puts a restored lake in place of the old one: whole, whatever happens in between.

A restore is unpacked beside the lake's folders. It counts from the instant its folder gets its final name; from then on
each writer finishes the exchange before it does anything else. The lake's own folder stays: it may be a mount.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath

RESTORED, REPLACED, UNPACKING = ".restored", ".replaced", ".restoring-"
# The scheduler holds it for as long as it runs.
SCHEDULER_LOCK = "state/scheduler.lock"
# Further names of this machine alone: Trino's list of tables, and the scheduler's lock.
OF_THIS_MACHINE = ("metastore", SCHEDULER_LOCK)


def is_reserved(inside: PurePosixPath) -> bool:
    """Whether a path in the lake is this machine's: locks, the metastore, and what a restore itself makes there."""
    # A disk may not tell capitals from small letters.
    parents = [parent.as_posix().casefold() for parent in (inside, *inside.parents)]
    return inside.parts[0].startswith(".") or any(name in parents for name in OF_THIS_MACHINE)


def is_backed_up(inside: PurePosixPath) -> bool:
    """Whether a backup takes a file, by its path in the lake: nothing reserved, and no unfinished write.

    Of names that begin with a dot, those of the checksums that Hadoop puts beside files are finished.
    """
    *folders, name = inside.parts
    is_scratch = any(part.startswith(".") for part in folders) or (name.startswith(".") and not name.endswith(".crc"))
    return not is_scratch and not is_reserved(inside)


def entries(lake_path: Path) -> list[str]:
    """Names of the folders and files in the lake's folder that a backup takes and a restore replaces."""
    found = [path.name for path in lake_path.iterdir()] if lake_path.is_dir() else []
    return sorted(name for name in found if not is_reserved(PurePosixPath(name)))


def new_folder(lake_path: Path) -> Path:
    """An empty folder to unpack into, on the lake's disk."""
    return Path(tempfile.mkdtemp(prefix=UNPACKING, dir=lake_path))


def exchange(lake_path: Path, unpacked: Path) -> None:
    """Replace the lake by what was unpacked; killed in between, `finish_exchange` completes it."""
    names = sorted(path.name for path in unpacked.iterdir())
    journal = unpacked / ".names.json"
    journal.write_text(json.dumps(names), encoding="utf-8")
    os.sync()
    unpacked.rename(lake_path / RESTORED)  # from here on it counts
    finish_exchange(lake_path)


def finish_exchange(lake_path: Path) -> None:
    """Complete an exchange that began, and delete what broken off restores left. Called with the writer's lock held."""
    restored, replaced = lake_path / RESTORED, lake_path / REPLACED
    if restored.is_dir():
        replaced.mkdir(exist_ok=True)
        names = json.loads((restored / ".names.json").read_text(encoding="utf-8"))
        for name in [name for name in entries(lake_path) if name not in names]:
            _move(lake_path / name, replaced / name)
        for name in names:
            # What is no longer among the restored is in its place already.
            if (restored / name).exists():
                if (lake_path / name).exists():
                    _move(lake_path / name, replaced / name)
                (restored / name).rename(lake_path / name)
        shutil.rmtree(restored)
    for path in (replaced, *lake_path.glob(f"{UNPACKING}*")):
        shutil.rmtree(path, ignore_errors=True)


def _move(path: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    path.rename(target)
