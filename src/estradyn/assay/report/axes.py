"""The dose axis that all figures of an assay share."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def control_position(doses: pd.Series) -> float:
    """Where a dose of 0 is drawn on a logarithmic axis: below the lowest dose."""
    return float(10 ** np.floor(np.log10(doses[doses > 0].min()) - 0.5))


def dose_channel(
    field: str, doses: pd.Series, unit: str, *, title: bool = True, labels: int = 6
) -> alt.X:
    """Logarithmic dose axis with the control at its left end, marked 0.

    Parameters
    ----------
    field
        Column of the data, where a dose of 0 already stands at `control_position`.
    doses
        All doses drawn.
    unit
        Unit printed with the title.
    title
        Whether the axis has a title.
    labels
        About how many labels fit.
    """
    zero = control_position(doses)
    first = int(np.ceil(np.log10(doses[doses > 0].min()) - 1e-9))
    last = int(np.floor(np.log10(doses.max()) + 1e-9))
    step = max(1, int(np.ceil((last - first + 1) / labels)))
    powers = list(range(first, last + 1, step))
    cases = [f"abs(log(datum.value/{zero:g})) < 0.01 ? '0'"]
    cases += [
        f"abs(log(datum.value/1e{power})) < 0.01 ? '10{str(power).translate(_SUPERSCRIPTS)}'"
        for power in powers
    ]
    return alt.X(
        f"{field}:Q",
        scale=alt.Scale(type="log", domain=[zero / 1.5, float(doses.max()) * 2.0], nice=False),
        axis=alt.Axis(
            values=[zero, *(float(f"1e{power}") for power in powers)],
            labelExpr=" : ".join(cases) + " : ''",
            title=f"dose, {'mol/L' if unit == 'M' else unit}" if title else None,
            grid=False,
        ),
    )
