"""Which tracks are to be done: what is listed, less what the data set has already.

The plan is a temporary SQLite database on disk, so that a million tracks take little memory.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from zoo.batching.sources import Track

Done = tuple[str, int | None, int | None, str | None, str, bool]
"""Name, size, modified, etag, the part with the row, and whether it is a failure."""

CHANGED = """(
    done.size IS NOT track.size OR done.modified IS NOT track.modified
    OR done.etag IS NOT track.etag)"""


class Plan:
    """The tracks of a run. A track is known by its path, size, and time of change or etag."""

    def __init__(self) -> None:
        self.database = sqlite3.connect("")  # a private file that goes away with the connection
        self.database.executescript(
            """
            PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            PRAGMA cache_size = -65536;
            CREATE TABLE done (name TEXT PRIMARY KEY, size, modified, etag, part TEXT, failed)
                WITHOUT ROWID;
            CREATE TABLE track (id INTEGER PRIMARY KEY, name TEXT UNIQUE, path BLOB, size, modified,
                etag, carried TEXT);
            """
        )

    def add_done(self, rows: Iterable[Done]) -> None:
        """Add what the data set has."""
        self.database.executemany("INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?, ?, ?)", rows)

    def add(self, tracks: Iterable[Track], shard: tuple[int, int] = (1, 1)) -> None:
        """Add what is listed; a path that comes again is ignored.

        Args:
            tracks: the list.
            shard: number and count: only the tracks of that shard are added.
        """
        self.database.executemany(
            "INSERT OR IGNORE INTO track (name, path, size, modified, etag, carried)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    name := track.name,
                    None if name == track.path else os.fsencode(track.path),
                    track.size,
                    track.modified,
                    track.etag,
                    json.dumps(track.carried) if track.carried else None,
                )
                for track in tracks
                if shard == (1, 1) or in_shard(track.name, shard)
            ),
        )

    def stale(self, retry: bool) -> dict[str, set[str]]:
        """Return rows of the data set whose files have changed since.

        Args:
            retry: whether failed tracks of the list count as changed.

        Returns:
            Part -> names in it.
        """
        again = " OR done.failed" if retry else ""
        found: dict[str, set[str]] = {}
        for part, name in self.database.execute(
            f"SELECT part, done.name FROM done JOIN track USING (name) WHERE {CHANGED}{again}"
        ):
            found.setdefault(part, set()).add(name)
        return found

    def forget(self, names: Iterable[str]) -> None:
        """Remove rows from what is done."""
        self.database.executemany("DELETE FROM done WHERE name = ?", ((name,) for name in names))

    def settle(self) -> tuple[int, int, int]:
        """Remove the done tracks from the list.

        Returns:
            The number of tracks that are left, done before, and failed before.
        """
        ((done, failed),) = self.database.execute(
            "SELECT count(*), coalesce(sum(failed), 0) FROM done JOIN track USING (name)"
        )
        self.database.execute("DELETE FROM track WHERE name IN (SELECT name FROM done)")
        ((left,),) = self.database.execute("SELECT count(*) FROM track")
        return left, done - failed, failed

    def pending(self) -> Iterator[Track]:
        """Yield the tracks that are left, in the order of the list."""
        last = 0
        while True:
            rows = self.database.execute(
                "SELECT id, name, path, size, modified, etag, carried FROM track WHERE id > ?"
                " ORDER BY id LIMIT 1000",
                (last,),
            ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            for _, name, path, size, modified, etag, carried in rows:
                path = name if path is None else os.fsdecode(path)
                yield Track(path, size, modified, etag, json.loads(carried) if carried else None)


def in_shard(name: str, shard: tuple[int, int]) -> bool:
    """Return whether a track belongs to a shard, by a digest of its name.

    Args:
        name: of the track.
        shard: number (from 1) and count.
    """
    number, count = shard
    digest = blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % count == number - 1
