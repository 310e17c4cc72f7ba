"""Random numbers that depend on a seed, a name and a patient's number alone.

Each name has a stream of its own from the counter-based generator Philox (Salmon et al., SC11,
doi 10.1145/2063384.2063405): the patient's number is the counter, so any patient's draw is found
without drawing those before her, and a new row of a table changes nobody's other values.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.random import Philox
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from estradyn.errors import InputError

_WORDS_PER_COUNT = 4
_LARGEST_SEED = 2**63


def standard_normal(seed: int, name: str, numbers: ArrayLike) -> NDArray[np.float64]:
    """Draw one standard normal value for each number.

    Parameters
    ----------
    seed
        From 0 to 2**63 - 1.
    name
        Name of the stream.
    numbers
        Numbers of the patients, integers from 0, shape (patients,).

    Returns
    -------
    numpy.ndarray
        Shape (patients,).

    Raises
    ------
    InputError
        If seed or a number is out of range.
    """
    wanted = np.asarray(numbers, dtype=np.int64)
    if not 0 <= seed < _LARGEST_SEED:
        raise InputError(f"the seed is {seed}, it must be from 0 to 2**63 - 1")
    if wanted.size and wanted.min() < 0:
        raise InputError("patients are numbered from 0")
    key = np.array(
        [seed, int.from_bytes(blake2b(name.encode(), digest_size=8).digest())], np.uint64
    )
    words = np.empty(wanted.shape, dtype=np.uint64)
    for start, stop in _runs(wanted):
        generator = Philox(key=key, counter=[int(wanted[start]), 0, 0, 0])
        words[start:stop] = generator.random_raw(_WORDS_PER_COUNT * (stop - start))[
            ::_WORDS_PER_COUNT
        ]
    # The 53 upper bits, centred in their interval: never 0 or 1, where the normal is infinite.
    return ndtri(((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


def _runs(numbers: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Stretches of consecutive numbers, as start and stop."""
    if numbers.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    edges = [0, *breaks.tolist(), numbers.size]
    return list(pairwise(edges))
