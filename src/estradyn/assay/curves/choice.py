"""Which curve the data support: a test of stimulation, lack of fit, and weights of evidence.

Without stimulation the rising term sits on the edge of what is allowed and its dose parameters mean
nothing, so neither the Wald t of the stimulation nor the F table holds (Davies 1987,
doi:10.1093/biomet/74.1.33). The p value therefore comes from data simulated under the best monotone
curve and analysed in the same way, with the choice among families repeated each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from estradyn.assay.curves.families import (
    BELL,
    BRAIN_COUSENS_4,
    BRAIN_COUSENS_5,
    FAMILIES,
    FLAT,
    LOG_LOGISTIC_3,
    LOG_LOGISTIC_4,
    CurveFamily,
    nested_monotone,
)
from estradyn.assay.curves.fit import CurveFit, fit_curve
from estradyn.assay.curves.landmarks import DoseWindow, peak_log_dose
from estradyn.assay.curves.observations import Observations

Array = NDArray[np.float64]

MONOTONE = (FLAT, LOG_LOGISTIC_3, LOG_LOGISTIC_4)
"""Curves without stimulation among which the null is chosen."""

BIPHASIC = (BRAIN_COUSENS_4, BRAIN_COUSENS_5, BELL)
"""Curves with stimulation among which the alternative is chosen.

Cedergreen-Ritz-Streibig curves are left out unless asked for: their shape depends on the unit of
the dose, and with alpha = 1 they collapse to a monotone curve on data with a clear zone.
"""

FEWEST_DOSES = 4
"""Doses above 0 a curve needs."""

FEWEST_RISING, FEWEST_FALLING = 1, 2
"""Doses above 0 that must lie below and above a peak; below it the control counts as well."""

AS_GOOD = 4.0
"""AICc units within which data speak for several curves; from 4 to 7 on one has considerably less
support than the best (Burnham & Anderson 2002, ch. 2.6)."""

_DENIED = 0.01
_FIRST_LOOK = 200
_ENOUGH_EXCEEDANCES = 40


@dataclass(frozen=True)
class LackOfFit:
    """F test of a curve against the scatter of its replicates; NaN without replicates."""

    statistic: float
    numerator_df: int
    denominator_df: int
    p_value: float


@dataclass(frozen=True)
class ExtraSumOfSquares:
    """F test of a biphasic family against the monotone family nested in it."""

    monotone: str
    biphasic: str
    statistic: float
    numerator_df: int
    denominator_df: int
    p_value: float


@dataclass(frozen=True)
class Choice:
    """The curve chosen for one data set and why.

    Attributes
    ----------
    chosen
        Fit that is reported.
    biphasic
        Whether stimulation is called.
    monotone
        Best fit without stimulation.
    fits
        All fits by name of family.
    aicc, weights
        Corrected Akaike criterion and Akaike weight by name.
    extra
        F test of the best biphasic family; None if there is none.
    bootstrap_p
        Parametric bootstrap p value of stimulation; NaN if not tested.
    simulated
        Number of data sets simulated for it.
    lack_of_fit
        Of the chosen fit.
    reason
        One sentence that explains the choice.
    refusal
        Why a biphasic curve was not considered; empty if it was.
    """

    chosen: CurveFit
    biphasic: bool
    monotone: CurveFit
    fits: dict[str, CurveFit]
    aicc: dict[str, float]
    weights: dict[str, float]
    extra: ExtraSumOfSquares | None
    bootstrap_p: float
    simulated: int
    lack_of_fit: LackOfFit
    reason: str
    refusal: str = field(default="")


def corrected_akaike(fit: CurveFit) -> Array:
    """AICc of a least-squares fit (Hurvich & Tsai 1989, doi:10.1093/biomet/76.2.297)."""
    size, count = fit.data.size.astype(float), fit.parameter_count + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        value = size * np.log(fit.sum_of_squares / size) + 2.0 * count
        value += 2.0 * count * (count + 1) / (size - count - 1)
    return np.where(size - count - 1 > 0, value, np.inf)


def lack_of_fit(fit: CurveFit) -> LackOfFit:
    """Lack of fit of a single data set against pure error (Draper & Smith 1998, ch. 2)."""
    free = len(fit.data.dose) - fit.parameter_count
    pure_df = int(fit.data.pure_error_df[0])
    pure = float(fit.data.pure_error[0])
    if free <= 0 or pure_df <= 0 or pure <= 0:
        return LackOfFit(np.nan, max(free, 0), pure_df, np.nan)
    statistic = max(float(fit.sum_of_squares[0]) - pure, 0.0) / free / (pure / pure_df)
    return LackOfFit(statistic, free, pure_df, float(f_distribution.sf(statistic, free, pure_df)))


def extra_sum_of_squares(monotone: CurveFit, biphasic: CurveFit) -> ExtraSumOfSquares:
    """Extra-sum-of-squares F test between nested fits of a single data set."""
    more = biphasic.parameter_count - monotone.parameter_count
    df = int(biphasic.residual_df[0])
    gain = float(monotone.sum_of_squares[0] - biphasic.sum_of_squares[0])
    statistic = max(gain, 0.0) / more / float(biphasic.variance[0])
    return ExtraSumOfSquares(
        monotone.family.name,
        biphasic.family.name,
        statistic,
        more,
        df,
        float(f_distribution.sf(statistic, more, df)),
    )


def enough_doses(family: CurveFamily, data: Observations) -> bool:
    """Whether a family leaves a degree of freedom among the dose levels of each curve."""
    return len(data.dose) // data.groups > len(family.parameters)


def fit_families(
    families: tuple[CurveFamily, ...], data: Observations, *, starts: int = 12, fine: bool = True
) -> dict[str, CurveFit]:
    """Fit every family that the number of doses allows."""
    fits: dict[str, CurveFit] = {}
    for family in families:
        if not enough_doses(family, data):
            continue
        nested = fits.get(nested_monotone(family).name) if family.biphasic else None
        fits[family.name] = fit_curve(family, data, starts=starts, fine=fine, nested=nested)
    return fits


def limb_fault(fit: CurveFit) -> str:
    """Why the doses of a single data set cannot carry a biphasic fit; empty if they can."""
    peak = peak_log_dose(fit.family, fit.local(), DoseWindow.around(fit.data))[0]
    if np.isnan(peak):
        return "the best biphasic curve has no peak above the control"
    doses = fit.data.positive
    at = np.exp(peak) * fit.data.reference_dose
    below, above = int(np.sum(doses <= at)), int(np.sum(doses > at))
    if below < FEWEST_RISING or above < FEWEST_FALLING:
        return (
            f"the best biphasic curve has {below} dose(s) below its peak and {above} above; at "
            f"least {FEWEST_RISING} below and {FEWEST_FALLING} above are needed"
        )
    return ""


def choose_curve(
    data: Observations,
    *,
    monotone: tuple[CurveFamily, ...] = MONOTONE,
    biphasic: tuple[CurveFamily, ...] = BIPHASIC,
    simulations: int = 999,
    level: float = 0.05,
    seed: int = 1,
    fits: dict[str, CurveFit] | None = None,
) -> Choice:
    """Choose between monotone and biphasic curves for one data set.

    Parameters
    ----------
    data
        One data set.
    monotone, biphasic
        Families to choose among.
    simulations
        Largest number of data sets simulated for the p value. Fewer are drawn where the answer is
        plain early (Besag & Clifford 1991, doi:10.1093/biomet/78.2.301).
    level
        Stimulation is called when the bootstrap p value is below this.
    seed
        Seed of the simulation.
    fits
        Fits of this data set, if already made.

    Returns
    -------
    Choice
    """
    if fits is None:
        fits = fit_families(monotone + biphasic, data)
    aicc = {name: float(corrected_akaike(fit)[0]) for name, fit in fits.items()}
    best = min((f.name for f in monotone if f.name in fits), key=lambda name: aicc[name])
    null = fits[best]
    able = [family.name for family in biphasic if family.name in fits]
    refusal, extra, p_value, simulated = "", None, np.nan, 0
    chosen = null
    if len(data.positive) < FEWEST_DOSES or not able:
        refusal = (
            f"{len(data.positive)} doses are too few for a biphasic curve; "
            f"{FEWEST_DOSES} or more are needed"
        )
        reason = f"{_sentence(refusal)} The {null.family.label} curve is reported."
    else:
        least = min(aicc[name] for name in able)
        candidate = simplest_supported([fits[name] for name in able])
        # F needs nested curves: the candidate, or else one that extends the best monotone curve.
        extends = [
            f for f in (candidate.family.name, *able) if nested_monotone(FAMILIES[f]).name == best
        ]
        if extends:
            extra = extra_sum_of_squares(null, fits[extends[0]])
        refusal = limb_fault(candidate)
        p_value, simulated = _bootstrap_p(
            null, monotone, biphasic, aicc[best] - least, simulations, seed
        )
        if not refusal and p_value < level:
            chosen = candidate
        reason = _reason(candidate, null, extra, p_value, simulated, refusal, level)
    lack = lack_of_fit(chosen)
    if lack.p_value < _DENIED:
        reason += (
            " The scatter of the replicates denies this curve (lack of fit p = "
            f"{lack.p_value:.2g}): look at the residuals before using its numbers."
        )
    return Choice(
        chosen=chosen,
        biphasic=chosen.family.biphasic,
        monotone=null,
        fits=fits,
        aicc=aicc,
        weights=akaike_weights(aicc),
        extra=extra,
        bootstrap_p=p_value,
        simulated=simulated,
        lack_of_fit=lack,
        reason=reason,
        refusal=refusal,
    )


def simplest_supported(fits: Sequence[CurveFit]) -> CurveFit:
    """Of the fits of one data set that it supports (`AS_GOOD`), the one with fewest parameters.

    A more flexible curve that is better by chance has intervals that miss the truth.
    """
    aicc = [float(corrected_akaike(fit)[0]) for fit in fits]
    least = min(aicc)
    supported = [i for i, value in enumerate(aicc) if value <= least + AS_GOOD]
    return fits[min(supported, key=lambda i: (fits[i].parameter_count, aicc[i]))]


def akaike_weights(aicc: dict[str, float]) -> dict[str, float]:
    """Weights of evidence that add up to 1 (Burnham & Anderson 2002)."""
    finite = [value for value in aicc.values() if np.isfinite(value)]
    if not finite:
        return dict.fromkeys(aicc, np.nan)
    likelihood = {name: float(np.exp(-0.5 * (v - min(finite)))) for name, v in aicc.items()}
    total = sum(likelihood.values())
    return {name: value / total for name, value in likelihood.items()}


def simulated_data(fit: CurveFit, count: int, generator: np.random.Generator) -> Observations:
    """Data sets drawn from a fitted curve with its residual variance and normal errors."""
    one = fit.data
    variance = float(fit.variance[0])
    spread = np.sqrt(variance / one.weight[0])
    mean = fit.fitted()[0] + spread * generator.standard_normal((count, len(one.dose)))
    pure_df = int(one.pure_error_df[0])
    pure = variance * (generator.chisquare(pure_df, count) if pure_df else np.zeros(count))
    return one.repeated(mean, pure)


def _bootstrap_p(
    null: CurveFit,
    monotone: tuple[CurveFamily, ...],
    biphasic: tuple[CurveFamily, ...],
    observed: float,
    simulations: int,
    seed: int,
) -> tuple[float, int]:
    """Share of simulated monotone data sets whose evidence for stimulation is as strong."""
    if simulations < 1:
        return np.nan, 0
    generator = np.random.default_rng(seed)
    exceedances = drawn = 0
    while drawn < simulations and exceedances < _ENOUGH_EXCEEDANCES:
        count = min(_FIRST_LOOK, simulations) if drawn == 0 else simulations - drawn
        drawn += count
        data = simulated_data(null, count, generator)
        fits = fit_families(monotone + biphasic, data, starts=3, fine=False)
        evidence = _best(fits, monotone) - _best(fits, biphasic)
        exceedances += int(np.sum(evidence >= observed - 1e-9))
    return (exceedances + 1) / (drawn + 1), drawn


def _best(fits: dict[str, CurveFit], families: tuple[CurveFamily, ...]) -> Array:
    return np.min(
        [corrected_akaike(fits[family.name]) for family in families if family.name in fits], axis=0
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _reason(
    candidate: CurveFit,
    null: CurveFit,
    extra: ExtraSumOfSquares | None,
    p_value: float,
    simulated: int,
    refusal: str,
    level: float,
) -> str:
    test = f"bootstrap p = {p_value:.3g}, {simulated} simulations"
    if extra is not None:
        test = (
            f"{extra.biphasic} against {extra.monotone}: F({extra.numerator_df}, "
            f"{extra.denominator_df}) = {extra.statistic:.3g}, {test}"
        )
    name = f"the {candidate.family.label}" + ("" if "bell" in candidate.family.name else " curve")
    if refusal:
        return f"No stimulation zone is called: {refusal} ({test})."
    if p_value < level:
        return f"Stimulation is supported: {name} fits better than any monotone curve ({test})."
    return (
        f"Stimulation is not supported: {name} is no better than chance allows ({test}); "
        f"the {null.family.label} curve is reported."
    )
