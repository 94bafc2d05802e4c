"""Questions to stores that may hang: see `core/upkeep/probes.py`."""

from core.upkeep.probes import Probes

__all__ = ["Probes"]
