"""Stratified block randomisation, blinding codes and the test that belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

CANDIDATES = 200
"""Random allocations drawn, of which the better half in weight and cage is eligible."""

_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass(frozen=True)
class Allocation:
    """Animals with their arms.

    Attributes
    ----------
    animals
        `animal`, `block`, `arm` and the strata, sorted by block; blocks hold animals of similar
        log volume, each arm once.
    reserve
        Animals that were not needed.
    arms
        Names of the arms.
    """

    animals: pd.DataFrame
    reserve: tuple[str, ...]
    arms: tuple[str, ...]


def randomise(
    animals: pd.DataFrame, arms: Sequence[str], animals_per_arm: int, seed: int
) -> Allocation:
    """Allocate animals to arms.

    Animals are sorted by volume into blocks with as many animals as arms, and each block gets
    every arm once at random. Of `CANDIDATES` such allocations the half in which weight and cages
    are the better balanced is kept and the first of it taken, so that every animal can still come
    into any arm (constrained randomisation, Raab & Butcher 2001).

    Parameters
    ----------
    animals
        `animal`, `volume_mm3` and, if known, `weight_g` and `cage`.
    arms
        Names of the arms.
    animals_per_arm
        Animals for each arm; those farthest from the median log volume are left as a reserve.
    seed
        Seed of the allocation.

    Raises
    ------
    ValueError
        When there are fewer animals than places.
    """
    wanted = animals_per_arm * len(arms)
    if len(animals) < wanted:
        raise ValueError(f"{len(animals)} animals for {wanted} places")
    logs = np.log(animals["volume_mm3"].to_numpy(dtype=np.float64))
    distance = np.abs(logs - np.median(logs))
    used = animals.iloc[np.sort(np.argsort(distance, kind="stable")[:wanted])].copy()
    used = used.sort_values(["volume_mm3", "animal"]).reset_index(drop=True)
    used["block"] = np.arange(wanted) // len(arms) + 1
    chosen = allocations(used, arms, 1, seed)[0]
    used["arm"] = [arms[place] for place in chosen]
    reserve = tuple(str(a) for a in animals["animal"] if a not in set(used["animal"]))
    return Allocation(used, reserve, tuple(arms))


def allocations(
    animals: pd.DataFrame, arms: Sequence[str], count: int, seed: int
) -> list[NDArray[np.int64]]:
    """Draw allocations by the scheme of `randomise`: position of the arm for each animal.

    Parameters
    ----------
    animals
        Sorted by `block`, each block with as many animals as arms.
    arms, seed
        As for `randomise`.
    count
        How many; the first is the allocation itself.
    """
    generator = np.random.default_rng(seed)
    blocks = int(animals["block"].max())
    result: list[NDArray[np.int64]] = []
    while len(result) < count:
        drawn = [
            np.concatenate([generator.permutation(len(arms)) for _ in range(blocks)])
            for _ in range(CANDIDATES)
        ]
        scores = np.array([_imbalance(animals, one, len(arms)) for one in drawn])
        limit = np.median(scores)
        result += [one for one, score in zip(drawn, scores, strict=True) if score <= limit]
    return result[:count]


def _imbalance(animals: pd.DataFrame, arm: NDArray[np.int64], arms: int) -> float:
    """Spread of mean weight between arms (in SD) and of cages (in animals)."""
    score = 0.0
    if "weight_g" in animals and animals["weight_g"].notna().all():
        weight = animals["weight_g"].to_numpy(dtype=np.float64)
        spread = float(weight.std()) or 1.0
        means = [weight[arm == place].mean() for place in range(arms)]
        score += float(np.ptp(means)) / spread
    if "cage" in animals:
        codes, _ = pd.factorize(animals["cage"])
        counts = np.zeros((codes.max() + 1, arms))
        np.add.at(counts, (codes, arm), 1.0)
        score += float(np.mean(counts.std(axis=1)))
    return score


def rerandomisation_test(
    values: ArrayLike,
    allocation: Allocation,
    first: str,
    second: str,
    *,
    draws: int = 2000,
    seed: int = 1,
) -> float:
    """Two-sided p for a difference in means between two arms under the same allocation scheme.

    Parameters
    ----------
    values
        Outcome of each animal, in the order of `allocation.animals`; NaN for a missing one.
    allocation
        What `randomise` gave.
    first, second
        Arms to compare.
    draws
        Allocations drawn.
    seed
        Seed of these.
    """
    outcome = np.asarray(values, dtype=np.float64)
    arms = allocation.arms
    places = {name: place for place, name in enumerate(arms)}
    observed = np.array([places[arm] for arm in allocation.animals["arm"]], dtype=np.int64)

    def difference(arm: NDArray[np.int64]) -> float:
        pair = [outcome[arm == places[name]] for name in (first, second)]
        return float(np.nanmean(pair[0]) - np.nanmean(pair[1]))

    limit = abs(difference(observed)) * (1.0 - 1e-12)
    drawn = allocations(allocation.animals, arms, draws, seed)
    beyond = sum(abs(difference(one)) >= limit for one in drawn)
    return (beyond + 1) / (draws + 1)


def balance_table(allocation: Allocation) -> pd.DataFrame:
    """Baseline of the arms: `arm`, `n`, mean and SD of log volume and weight, number of cages."""
    rows = []
    for arm in allocation.arms:
        own = allocation.animals[allocation.animals["arm"] == arm]
        logs = np.log(own["volume_mm3"])
        row = {
            "arm": arm,
            "n": len(own),
            "geometric_mean_volume_mm3": float(np.exp(logs.mean())),
            "log_volume_sd": float(logs.std()),
        }
        if "weight_g" in own:
            row |= {"weight_g_mean": float(own["weight_g"].mean())}
            row |= {"weight_g_sd": float(own["weight_g"].std())}
        if "cage" in own:
            row["cages"] = int(own["cage"].nunique())
        rows.append(row)
    return pd.DataFrame(rows)


def blinding_codes(arms: Sequence[str], seed: int) -> dict[str, str]:
    """Give each arm a code of three consonants that says nothing of the arm."""
    generator = np.random.default_rng([seed, 7])
    codes: list[str] = []
    while len(codes) < len(arms):
        code = "".join(generator.choice(list(_CODE_LETTERS), 3))
        if code not in codes:
            codes.append(code)
    return dict(zip(arms, codes, strict=True))


def block_scheme(arms: Sequence[str], animals_per_arm: int, seed: int) -> pd.DataFrame:
    """Allocation by rank, to be used when animals are measured: `block`, `rank`, `arm`.

    Animals are ranked by volume; ranks 1 to k (k arms) form block 1, and so on.
    """
    generator = np.random.default_rng(seed)
    rows = []
    for block in range(animals_per_arm):
        for place, arm in enumerate(generator.permutation(len(arms))):
            rows.append((block + 1, block * len(arms) + place + 1, arms[arm]))
    return pd.DataFrame(rows, columns=["block", "rank", "arm"])
