"""Quantitative systems pharmacology workbench for endocrine therapy of ER+ breast cancer."""

__version__ = "0.1.0"
