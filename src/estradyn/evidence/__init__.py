"""Published numbers with their sources, and which endpoint each speaks to."""

from estradyn.evidence.published import PublishedValue, Use, published_values
from estradyn.evidence.rows import EvidenceRow, evidence_rows

__all__ = ["EvidenceRow", "PublishedValue", "Use", "evidence_rows", "published_values"]
