"""How limits of requests adapt, where users import it from."""

from data_designer.config.run_config import RequestAdmissionTuningConfig

__all__ = ["RequestAdmissionTuningConfig"]
