"""When the review of a drug record is due, and the warning where it is overdue."""

from __future__ import annotations

import calendar
import datetime

from estradyn.model.drug_record import DrugRecord
from estradyn.model.front_matter import FREQUENCY

_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}


def review_due(record: DrugRecord) -> datetime.date:
    """Return the day by which a record must be reviewed again: last review plus frequency."""
    reviewed: datetime.date = record.fields["last_reviewed"]
    match = FREQUENCY.fullmatch(record.fields["review_frequency"])
    assert match is not None, "the front matter was checked when it was read"
    count, unit = int(match["count"]), match["unit"]
    if unit in _DAYS:
        return reviewed + datetime.timedelta(days=count * _DAYS[unit])
    years, month = divmod(reviewed.month - 1 + count * _MONTHS[unit], 12)
    year, month = reviewed.year + years, month + 1
    # A review on the 31st is due on the last day of a shorter month.
    return datetime.date(year, month, min(reviewed.day, calendar.monthrange(year, month)[1]))


def review_warning(record: DrugRecord, today: datetime.date) -> str | None:
    """Return a sentence where the review of a record is overdue, None where it is not."""
    due = review_due(record)
    if due >= today:
        return None
    return (
        f"The record of {record.name} was last reviewed on {record.fields['last_reviewed']} and "
        f"its review was due on {due}: what it says may be out of date."
    )
