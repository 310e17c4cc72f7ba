"""The ARRIVE 2.0 table: what is known of each item, and what the authors still have to write."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

ARRIVE_ITEMS: tuple[tuple[int, str, str], ...] = (
    (1, "Study design", "essential"),
    (2, "Sample size", "essential"),
    (3, "Inclusion and exclusion criteria", "essential"),
    (4, "Randomisation", "essential"),
    (5, "Blinding", "essential"),
    (6, "Outcome measures", "essential"),
    (7, "Statistical methods", "essential"),
    (8, "Experimental animals", "essential"),
    (9, "Experimental procedures", "essential"),
    (10, "Results", "essential"),
    (11, "Abstract", "recommended"),
    (12, "Background", "recommended"),
    (13, "Objectives", "recommended"),
    (14, "Ethical statement", "recommended"),
    (15, "Housing and husbandry", "recommended"),
    (16, "Animal care and monitoring", "recommended"),
    (17, "Interpretation and scientific implications", "recommended"),
    (18, "Generalisability and translation", "recommended"),
    (19, "Protocol registration", "recommended"),
    (20, "Data access", "recommended"),
    (21, "Declaration of interests", "recommended"),
)
"""Items of ARRIVE 2.0 (Percie du Sert 2020, doi:10.1371/journal.pbio.3000410)."""

OPEN = "for the authors to write"


def arrive_table(known: Mapping[int, str]) -> pd.DataFrame:
    """Fill the table with what is known.

    Parameters
    ----------
    known
        Text by item number.

    Returns
    -------
    pandas.DataFrame
        `item`, `name`, `set`, `text` and `status` ("filled" or "open").
    """
    rows = [
        {
            "item": number,
            "name": name,
            "set": kind,
            "text": known.get(number, OPEN),
            "status": "filled" if number in known else "open",
        }
        for number, name, kind in ARRIVE_ITEMS
    ]
    return pd.DataFrame(rows)
