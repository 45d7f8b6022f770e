"""Which modules a preset has; the form that a version of PyMoDAQ wants is made from this. Needs no PyMoDAQ."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Planned:
    """A control module of the dashboard."""

    name: str
    """Its title there."""
    plugin: str
    dimension: int | None = None
    """Of a detector; None: an actuator."""
    axis: str = ""
    """What the actuator moves."""

    def __str__(self) -> str:
        kind = "DAQ_Move" if self.dimension is None else f"DAQ{self.dimension}D"
        return f"{self.name}: {kind}/{self.plugin}{f' ({self.axis})' if self.axis else ''}"


@dataclass(frozen=True)
class Plan:
    """A preset: modules of one board."""

    name: str
    title: str
    modules: tuple[Planned, ...]


PLANS = (
    Plan(
        "pitayad",
        "scope, lock-in, generator and PID of one board",
        (
            Planned("Scope", "PitayadScope", dimension=1),
            Planned("Lock-in", "PitayadIQ", dimension=0),
            Planned("Generator", "PitayadASG", axis="asg0 frequency"),
            Planned("Setpoint", "PitayadPID", axis="pid0 setpoint"),
        ),
    ),
    Plan(
        "pitayad-loop",
        "a PID loop: trace and level of the scope, any signals; setpoint and integrator, generator",
        (
            Planned("Scope", "PitayadScope", dimension=1),
            Planned("Level", "PitayadScope", dimension=0),
            Planned("Signals", "PitayadSampler", dimension=0),
            Planned("Setpoint", "PitayadPID", axis="pid0 setpoint"),
            Planned("Integrator", "PitayadPID", axis="pid0 ival"),
            Planned("Generator", "PitayadASG", axis="asg0 offset"),
        ),
    ),
)
"""All that can be installed; a new one is a few lines here."""
