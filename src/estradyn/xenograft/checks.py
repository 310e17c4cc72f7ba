"""What is wrong or doubtful in the measurements of a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from estradyn.errors import InputError
from estradyn.xenograft.study_table import StudyData

LARGEST_JUMP = 4.0
"""Fold change between visits on top of `DAILY_GROWTH` that caliper error does not explain: more
than three standard deviations of the difference of two readings of a small tumor (27 % each)."""

DAILY_GROWTH = 0.25
"""Log growth per day that no xenograft exceeds (doubling in 2.8 days; assumed)."""

PADDING_FROM = 30.0
"""A tumor of this volume (mm3) or more at the last visit does not vanish by the next (assumed)."""

FEWEST_WINDOW_VISITS = 4
"""Visits within the flare window below which a flare can be missed."""


class Severity(StrEnum):
    """What a finding leads to."""

    ERROR = "error"
    EXCLUDED = "excluded"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True)
class Finding:
    """One result of the data checks.

    Attributes
    ----------
    severity
        An error stops the analysis; an excluded value is left out of model and classes.
    check
        Which check.
    message
        What was found and what is allowed.
    animal, day, line
        Where; empty, NaN and 0 when the finding is about the whole study.
    """

    severity: Severity
    check: str
    message: str
    animal: str = ""
    day: float = float("nan")
    line: int = 0


@dataclass(frozen=True)
class CheckedStudy:
    """A study without errors.

    Attributes
    ----------
    data
        The study as it was read.
    measurements
        The rows without those whose volume was excluded (their volume is missing here).
    findings
        Everything that was found.
    """

    data: StudyData
    measurements: pd.DataFrame
    findings: tuple[Finding, ...]


def check_study(data: StudyData, *, window_end: float = 21.0) -> tuple[Finding, ...]:
    """Look for faults in the measurements, errors first.

    Parameters
    ----------
    data
        The study.
    window_end
        End of the flare window in days.
    """
    table = data.measurements
    found = [
        *_duplicates(table),
        *_two_arms(table),
        *_units(data),
        *_after_leaving(table),
        *_padding(table),
        *_jumps(table),
        *_carried_forward(table),
        *_swapped(table),
        *_baselines(table),
        *_sparse(table, window_end),
    ]
    if data.ignored:
        found.append(
            Finding(
                Severity.NOTICE, "unknown column", f"not used: {', '.join(data.ignored)}", line=1
            )
        )
    if data.volumes_computed and table["volume_given"].notna().any():
        found.append(
            Finding(
                Severity.NOTICE,
                "two volumes",
                "length and width were used where given, the volume column elsewhere",
                line=1,
            )
        )
    order = {severity: place for place, severity in enumerate(Severity)}
    return tuple(sorted(found, key=lambda item: order[item.severity]))


def checked(data: StudyData, *, window_end: float = 21.0) -> CheckedStudy:
    """Check a study and leave out what was excluded.

    Raises
    ------
    InputError
        For the first error; says how many more there are.
    """
    findings = check_study(data, window_end=window_end)
    errors = [item for item in findings if item.severity is Severity.ERROR]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InputError(errors[0].message + more, source=data.source, line=errors[0].line or None)
    lines = {item.line for item in findings if item.severity is Severity.EXCLUDED}
    table = data.measurements.copy()
    table.loc[table["line"].isin(lines), "volume_mm3"] = np.nan
    return CheckedStudy(data, table, findings)


def _duplicates(table: pd.DataFrame) -> Iterator[Finding]:
    repeated = table[table.duplicated(["animal", "day"], keep="first")]
    for row in repeated.to_dict("records"):
        yield Finding(
            Severity.ERROR,
            "duplicate",
            f"animal '{row['animal']}': found a second row for day {row['day']:g}, allowed one row "
            "per animal and day",
            row["animal"],
            row["day"],
            row["line"],
        )


def _two_arms(table: pd.DataFrame) -> Iterator[Finding]:
    for animal, rows in table.groupby("animal", sort=False):
        arms = rows["arm"].unique()
        if arms.size > 1:
            other = rows[rows["arm"] != arms[0]].iloc[0]
            yield Finding(
                Severity.ERROR,
                "duplicate id",
                f"animal '{animal}': found in the arms '{arms[0]}' and '{arms[1]}', allowed one "
                "arm for each animal id",
                str(animal),
                float(other["day"]),
                int(other["line"]),
            )


def _median(values: pd.Series) -> float:
    """Median of what was measured; NaN, without a warning of numpy, if nothing was."""
    known = values.dropna()
    return float(known.median()) if len(known) else float("nan")


def _units(data: StudyData) -> Iterator[Finding]:
    table = data.measurements
    positive = table.where(table[["length_mm", "volume_mm3", "weight_g"]] > 0)
    limits = (
        ("length_mm", 1.5, 60.0, "lengths in mm", "cm or micrometres"),
        ("volume_mm3", 1.0, 20_000.0, "volumes in mm3", "cm3"),
        ("weight_g", 10.0, 60.0, "body weights of mice in g", "kg, mg or percent"),
    )
    for name, low, high, allowed, suspect in limits:
        middle = _median(positive[name])
        if np.isfinite(middle) and not low <= middle <= high:
            yield _whole_column(name, middle, allowed, suspect, low, high)
    calcium = table["calcium_mmol_per_L"]
    middle = _median(calcium)
    if np.isfinite(middle) and not 1.0 <= middle <= 4.5:
        yield _whole_column(
            "calcium",
            middle,
            "serum calcium as 'calcium_mmol_per_L' or 'calcium_mg_per_dL'",
            "the other unit",
            1.0,
            4.5,
        )
    volume = table[table["volume_mm3"] > 0]
    # Against the neighbours, for a tumor may grow a hundredfold over a study.
    logs = np.log10(volume["volume_mm3"])
    groups = logs.groupby(volume["animal"])
    before, after = logs - groups.shift(1), logs - groups.shift(-1)
    off = ((before.abs() - 3.0).abs() < 0.3) & ((after.abs() - 3.0).abs() < 0.3)
    off &= np.sign(before) == np.sign(after)
    for row in volume[off].to_dict("records"):
        yield Finding(
            Severity.ERROR,
            "unit",
            f"animal '{row['animal']}', day {row['day']:g}: found a volume of "
            f"{row['volume_mm3']:.3g} mm3 that differs from its neighbours by a factor of "
            "1000, as between cm3 and mm3, allowed one unit throughout",
            row["animal"],
            row["day"],
            row["line"],
        )


def _whole_column(
    name: str, middle: float, allowed: str, suspect: str, low: float, high: float
) -> Finding:
    return Finding(
        Severity.ERROR,
        "unit",
        f"column '{name}': found a median of {middle:.3g}, which looks like {suspect}, allowed "
        f"{allowed} (median {low:g} to {high:g})",
        line=1,
    )


def _leaving(table: pd.DataFrame) -> pd.DataFrame:
    """First row of each animal that says why it left."""
    return table[table["reason_left"] != ""].drop_duplicates("animal", keep="first")


def _after_leaving(table: pd.DataFrame) -> Iterator[Finding]:
    left = {row["animal"]: row for row in _leaving(table).to_dict("records")}
    known = table[table["volume_mm3"].notna() & table["animal"].isin(list(left))]
    for row in known.to_dict("records"):
        last = left[row["animal"]]
        if row["day"] <= last["day"]:
            continue
        what = "padding with zeros" if row["volume_mm3"] == 0 else "a volume"
        yield Finding(
            Severity.ERROR,
            "padding",
            f"animal '{row['animal']}', day {row['day']:g}: found {what} after it left on day "
            f"{last['day']:g} ('{last['reason_left']}'), allowed no volume after that",
            row["animal"],
            row["day"],
            row["line"],
        )


def _padding(table: pd.DataFrame) -> Iterator[Finding]:
    """Zeros at the end that a death, not a response, explains."""
    left = {row["animal"]: row for row in _leaving(table).to_dict("records")}
    for animal, rows in table[table["volume_mm3"].notna()].groupby("animal", sort=False):
        volume, day = rows["volume_mm3"].to_numpy(), rows["day"].to_numpy()
        above = np.flatnonzero(volume > 0)
        if above.size == 0:
            yield _zeros(rows.iloc[0], "found only zeros")
            continue
        last = int(above[-1])
        if last == volume.size - 1:
            continue
        gone = (
            animal in left
            and "end" not in left[animal]["reason_left"].lower()
            and day[last + 1] >= left[animal]["day"]
        )
        weight = rows["weight_g"].to_numpy()
        weightless = (
            not np.isnan(weight).all()
            and (np.isnan(weight[last + 1 :]) | (weight[last + 1 :] == 0)).all()
        )
        if volume[last] >= PADDING_FROM or gone or weightless:
            yield _zeros(
                rows.iloc[last + 1],
                f"found zeros after {volume[last]:.3g} mm3 on day {day[last]:g}",
            )


def _zeros(row: pd.Series, what: str) -> Finding:
    return Finding(
        Severity.ERROR,
        "padding",
        f"animal '{row['animal']}', day {row['day']:g}: {what}, which is padding and not a "
        "response, allowed empty cells once an animal has left",
        str(row["animal"]),
        float(row["day"]),
        int(row["line"]),
    )


def _jumps(table: pd.DataFrame) -> Iterator[Finding]:
    for animal, rows in table[table["volume_mm3"] > 0].groupby("animal", sort=False):
        logs = np.log(rows["volume_mm3"].to_numpy())
        days, lines = rows["day"].to_numpy(), rows["line"].to_numpy()
        if logs.size < 2:
            continue
        limit = np.log(LARGEST_JUMP) + DAILY_GROWTH * np.diff(days)
        steps = np.diff(logs)
        large = np.abs(steps) > limit
        place = 0
        while place < steps.size:
            if large[place]:
                back = (
                    place + 1 < steps.size
                    and large[place + 1]
                    and np.sign(steps[place]) != np.sign(steps[place + 1])
                )
                fold = np.exp(steps[place])
                text = f"{fold:.3g}-fold" if fold >= 1 else f"1/{1 / fold:.3g}-fold"
                yield Finding(
                    Severity.EXCLUDED if back else Severity.WARNING,
                    "impossible jump",
                    f"animal '{animal}': {text} from day {days[place]:g} to "
                    f"{days[place + 1]:g}"
                    + (" and back, left out of model and classes" if back else ", kept"),
                    str(animal),
                    float(days[place + 1]),
                    int(lines[place + 1]),
                )
                place += 1 if back else 0
            place += 1


def _carried_forward(table: pd.DataFrame) -> Iterator[Finding]:
    for animal, rows in table[table["volume_mm3"] > 0].groupby("animal", sort=False):
        volume = rows["volume_mm3"].to_numpy()
        same = int(np.argmin(np.append((volume == volume[-1])[::-1], False)))
        if same >= 3:
            yield Finding(
                Severity.WARNING,
                "carried forward",
                f"animal '{animal}': the last {same} volumes are the same, as if carried forward",
                str(animal),
                float(rows["day"].iloc[-same]),
                int(rows["line"].iloc[-same]),
            )


def _swapped(table: pd.DataFrame) -> Iterator[Finding]:
    swapped = table[table["length_mm"] < table["width_mm"]]
    if len(swapped):
        row = swapped.iloc[0]
        yield Finding(
            Severity.WARNING,
            "length and width",
            f"{len(swapped)} rows have a width above the length; the larger was taken as length",
            str(row["animal"]),
            float(row["day"]),
            int(row["line"]),
        )


def _baselines(table: pd.DataFrame) -> Iterator[Finding]:
    measured = table[table["volume_mm3"] > 0]
    have = set(measured.loc[measured["day"] <= 0, "animal"])
    for animal in dict.fromkeys(table["animal"]):
        if animal not in have:
            yield Finding(
                Severity.WARNING,
                "no baseline",
                f"animal '{animal}': no volume at or before day 0; left out of model and classes",
                str(animal),
            )


def _sparse(table: pd.DataFrame, window_end: float) -> Iterator[Finding]:
    measured = table[table["volume_mm3"].notna()]
    window = measured[(measured["day"] > 0) & (measured["day"] <= window_end)]
    visits: Sequence[int] = window.groupby("animal")["day"].nunique().to_list()
    if visits and float(np.median(visits)) < FEWEST_WINDOW_VISITS:
        yield Finding(
            Severity.WARNING,
            "sparse sampling",
            f"a median of {np.median(visits):g} visits in the flare window (to day "
            f"{window_end:g}); a flare is told from progression by {FEWEST_WINDOW_VISITS} or more",
        )
