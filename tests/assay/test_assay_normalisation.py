"""Percent of vehicle, growth rates, plates as replicates, and plate quality."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from assay_examples import assay_frame, plate_frame

from estradyn.assay import wells_from_frame
from estradyn.assay.normalise import normalise
from estradyn.assay.quality import plate_quality
from estradyn.assay.replicates import make_replicates


def test_percent_of_vehicle_uses_the_plates_own_controls() -> None:
    frame = assay_frame(plates=2, times=(48.0,))
    wells, _ = normalise(wells_from_frame(frame))
    for _, plate in wells.groupby("plate"):
        vehicle = plate[plate["role"] == "vehicle"]
        assert vehicle["percent_of_vehicle"].mean() == pytest.approx(100.0)
        blank = plate.loc[plate["role"] == "blank", "signal"].mean()
        one = plate[plate["role"] == "sample"].iloc[0]
        expected = 100 * (one["signal"] - blank) / (vehicle["signal"].mean() - blank)
        assert one["percent_of_vehicle"] == pytest.approx(expected)


def test_growth_rate_by_hand_and_not_capped() -> None:
    frame = pd.DataFrame(
        {
            "plate": ["zero"] * 2 + ["late"] * 5,
            "well": ["A1", "A2", "A1", "A2", "A3", "A4", "A5"],
            "role": ["blank", "vehicle", "blank", "vehicle", "sample", "sample", "sample"],
            "drug": ["", "", "", "", "x", "x", "x"],
            "dose": [0, 0, 0, 0, 1e-9, 1e-8, 1e-7],
            "time_h": [0, 0, 48, 48, 48, 48, 48],
            "signal": [0.1, 0.3, 0.1, 0.9, 1.7, 0.3, 0.2],
        }
    )
    wells, notes = normalise(wells_from_frame(frame))
    late = wells[wells["plate"] == "late"].set_index("well")["growth_rate"]
    # x0 = 0.2, xc = 0.8: two doublings; 1.6 is three, 0.2 none, 0.1 one halving.
    assert late["A2"] == pytest.approx(1.0)
    assert late["A3"] == pytest.approx(2 ** (3 / 2) - 1)
    assert late["A4"] == pytest.approx(0.0)
    assert late["A5"] == pytest.approx(2 ** (-1 / 2) - 1)
    assert np.isnan(late["A1"])
    assert notes == []


def test_growth_rates_are_missing_with_a_reason() -> None:
    wells, notes = normalise(wells_from_frame(assay_frame(plates=1, times=(48.0,))))
    assert wells["growth_rate"].isna().all()
    assert "no time-0 plate" in notes[0]


def test_counts_have_no_blank() -> None:
    frame = assay_frame(plates=1, times=(48.0,))
    frame = frame[frame["role"] != "blank"]
    wells, _ = normalise(wells_from_frame(frame), blanks="none")
    np.testing.assert_allclose(wells["net"], wells["signal"])


def test_the_plate_is_the_replicate() -> None:
    wells, _ = normalise(wells_from_frame(assay_frame(plates=3, times=(48.0,))))
    table = wells[wells["role"].isin(["sample", "vehicle"])].rename(
        columns={"percent_of_vehicle": "response"}
    )
    made = make_replicates(table)
    assert made.unit == "plate"
    assert len(made.table) == 3 * 10
    assert made.lost_df == 2
    # The vehicle keeps a scatter of its own: no plate is forced through 100.
    assert made.table.loc[made.table["dose"] == 0, "response"].std() > 0


def test_alignment_removes_the_error_of_one_vehicle() -> None:
    rows = []
    for plate, factor in (("a", 1.0), ("b", 1.1), ("c", 0.9)):
        for dose, response in ((0.0, 100.0), (1.0, 120.0), (2.0, 80.0), (3.0, 50.0)):
            # The vehicle mean of each plate was off by a factor; dividing by it spread the error.
            rows.append((plate, dose, response * factor))
    table = pd.DataFrame(rows, columns=["plate", "dose", "response"])
    made = make_replicates(table)
    spread = made.table.groupby("dose")["response"].std()
    np.testing.assert_allclose(spread, 0.0, atol=1e-9)
    assert made.plate_factors["b"] / made.plate_factors["c"] == pytest.approx(1.1 / 0.9)
    unbalanced = make_replicates(table.drop(index=[5]))
    np.testing.assert_allclose(unbalanced.table.groupby("dose")["response"].std(), 0, atol=1e-9)


def test_doses_that_leave_no_cells_do_not_align_plates() -> None:
    generator = np.random.default_rng(4)
    doses = {0.0: 100.0, 1.0: 120.0, 2.0: 60.0, 3.0: 3.0, 4.0: 0.0}
    spread: list[float] = []
    for _ in range(200):
        rows = [
            (plate, dose, response + generator.normal(0.0, 4.0))
            for plate in "abcd"
            for dose, response in doses.items()
        ]
        made = make_replicates(pd.DataFrame(rows, columns=["plate", "dose", "response"]))
        assert made.lost_df == 3
        spread.extend(made.plate_factors.values())
    # All plates are equally bright. Least squares is wrong by 4 % over the root of the sum of
    # squares of the doses, 167 %, of which one plate in four is the standard of comparison.
    assert np.std(spread) == pytest.approx(4.0 / 167.0 * np.sqrt(0.75), rel=0.15)


def test_plates_with_scatter_in_proportion_align_on_all_doses_alike() -> None:
    generator = np.random.default_rng(5)
    doses = {0.0: 100.0, 1.0: 100.0, 2.0: 20.0, 3.0: 20.0}
    spread: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(200):
        rows = [
            (plate, dose, response * np.exp(generator.normal(0.0, 0.08)))
            for plate in "abcd"
            for dose, response in doses.items()
        ]
        table = pd.DataFrame(rows, columns=["plate", "dose", "response"])
        for proportional, found in spread.items():
            found.extend(make_replicates(table, proportional=proportional).plate_factors.values())
    assert np.std(spread[True]) == pytest.approx(0.08 / 2.0 * np.sqrt(0.75), rel=0.15)
    assert np.std(spread[False]) > 1.2 * np.std(spread[True])


def test_cells_with_more_wells_weigh_more() -> None:
    generator = np.random.default_rng(1)
    rows = [
        (plate, dose, 100.0 + generator.normal(0, 5))
        for plate in "abcdef"
        for dose, wells in ((0.0, 12), (1.0, 3), (2.0, 3), (3.0, 3))
        for _ in range(wells)
    ]
    made = make_replicates(pd.DataFrame(rows, columns=["plate", "dose", "response"]))
    weight = made.table.groupby("dose")["weight"].first()
    assert weight[1.0] == pytest.approx(1.0)
    assert weight[0.0] > 1.5


def test_good_plates_are_not_flagged() -> None:
    wells, _ = normalise(wells_from_frame(assay_frame(plates=3)))
    quality = plate_quality(wells)
    assert (quality["flags"] == "").all()
    assert (quality["z_prime"] > 0.5).all()


def test_z_prime_and_ssmd_by_hand() -> None:
    wells, _ = normalise(wells_from_frame(plate_frame("p", 48.0, 3)))
    row = plate_quality(wells).iloc[0]
    vehicle = wells.loc[wells["role"] == "vehicle", "signal"]
    blank = wells.loc[wells["role"] == "blank", "signal"]
    gap = vehicle.mean() - blank.mean()
    assert row["z_prime"] == pytest.approx(1 - 3 * (vehicle.std() + blank.std()) / gap)
    assert row["ssmd"] == pytest.approx(gap / np.hypot(vehicle.std(), blank.std()))


def test_edge_and_scatter_are_flagged_and_nothing_is_dropped() -> None:
    frame = plate_frame("p", 48.0, 3)
    edge = frame["well"].str.match(r"[AH]|[B-G](1|12)$")
    frame.loc[edge, "signal"] *= 0.7
    wells, _ = normalise(wells_from_frame(frame))
    row = plate_quality(wells).iloc[0]
    assert "edge wells" in row["flags"]
    assert row["edge_effect"] < -5
    assert len(wells) == len(frame)


def test_unreadable_wells_are_counted() -> None:
    frame = plate_frame("p", 48.0, 3)
    frame.loc[frame.index[-2:], "signal"] = np.nan
    wells, _ = normalise(wells_from_frame(frame))
    assert "2 wells without a number" in plate_quality(wells)["flags"].iloc[0]
