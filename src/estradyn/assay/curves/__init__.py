"""Dose-response curves: families, fits, landmarks, intervals and the choice between them."""
