"""How much of a CPU this process needs."""

import threading
import time

from data_designer.engine.execution.cpu_meter import CpuMeter


def test_a_process_that_computes_needs_a_cpu_and_one_that_waits_does_not() -> None:
    """By what it got and what it stood in line for; what went by is what the caller's clock says."""
    meter = CpuMeter()
    assert meter.take(10.0) is None
    until = time.process_time() + 0.5
    while time.process_time() < until:
        pass
    busy = meter.take(14.0)
    threading.Event().wait(0.05)
    idle = meter.take(15.0)
    assert busy is not None
    assert idle is not None
    assert (busy.passed, idle.passed) == (4.0, 1.0)
    assert busy.needed >= 0.5 > idle.needed
