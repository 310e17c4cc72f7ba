"""Carry estradiol of the tumor over to women before menopause.

Run from the repository root after `flare_and_response.py` and `tissue_modules.py` (seconds)::

    python calibration/tumors_before_menopause.py

No trial before menopause is fitted to. Their tumors take up estradiol of plasma as those of women
after menopause do, and make the same amount themselves, over a plasma estradiol that is higher: two
derived rows (`receptor_tumor_estradiol_ratio`, `receptor_local_estradiol_share`).
"""

from __future__ import annotations

from cohort import write_rows

from estradyn.model import load_parameters

RATIO, SHARE = "receptor_tumor_estradiol_ratio", "receptor_local_estradiol_share"
CYCLE_ESTRADIOL = 360.0
"""pmol/L, mean of plasma estradiol over the cycle of the model's ovary."""


def main() -> None:
    """Write the rows."""
    after = load_parameters().by_name
    ratio, share = after[RATIO].value, after[SHARE].value
    taken_up = ratio * (1.0 - share)
    made = ratio * share * after["estrogen_baseline_estradiol"].value / CYCLE_ESTRADIOL
    following = {RATIO: taken_up + made, SHARE: made / (taken_up + made)}
    write_rows(load_parameters(population="premenopausal_women"), {}, following)


if __name__ == "__main__":
    main()
