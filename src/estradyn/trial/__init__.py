"""Virtual trials: study file, visits, measurement, response, endpoints and statistics."""
