"""Damage to the bytes of a file, the same for the same seed."""

import numpy as np

KINDS = ("bits", "bytes", "header", "cut", "zeros", "lost", "inserted", "numbers")


def mutated(data: bytes, seed: tuple[int, ...]) -> tuple[bytes, str]:
    """Damage a file.

    Args:
        data: its bytes.
        seed: of the damage.

    Returns:
        The new bytes, and the kind of damage.
    """
    rng = np.random.default_rng(seed)
    kind = KINDS[rng.integers(len(KINDS))]
    new = bytearray(data)
    if len(data) == 1:
        return bytes([int(rng.integers(256))]), "bytes"
    place = int(rng.integers(len(data)))
    size = int(min(2 ** rng.uniform(2, 14), len(data) - place))
    if kind == "bits":
        for at in rng.integers(0, len(data), rng.integers(1, 20)):
            new[at] ^= 1 << int(rng.integers(8))
    elif kind == "bytes":
        for at in rng.integers(0, len(data), rng.integers(1, 20)):
            new[at] = int(rng.integers(256))
    elif kind == "header":
        for at in rng.integers(0, min(200, len(data)), rng.integers(1, 4)):
            new[at] = int(rng.integers(256))
    elif kind == "cut":
        del new[max(place, 1) :]
    elif kind == "zeros":
        new[place : place + size] = bytes(size)
    elif kind == "lost":
        del new[place : place + size]
    elif kind == "inserted":
        new[place:place] = rng.bytes(size)
    else:  # a number that programs mistake: lengths and counts
        width = int(rng.choice([2, 4, 8]))
        value = int(rng.choice([0, 1, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**63])) % 256**width
        at = int(rng.integers(0, min(4096, len(data))))
        new[at : at + width] = value.to_bytes(width, "big" if rng.integers(2) else "little")
    return bytes(new), kind
