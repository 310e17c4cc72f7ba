"""Simulates any model under NONMEM-style event records."""

from estradyn.simulation.event_records import EventRecords, read_event_records
from estradyn.simulation.output_times import even_times, read_times
from estradyn.simulation.parameter_values import read_parameter_values
from estradyn.simulation.run import (
    SimulatedPatients,
    SimulationSummary,
    simulate_events,
    simulate_file,
)

__all__ = [
    "EventRecords",
    "SimulatedPatients",
    "SimulationSummary",
    "even_times",
    "read_event_records",
    "read_parameter_values",
    "read_times",
    "simulate_events",
    "simulate_file",
]
