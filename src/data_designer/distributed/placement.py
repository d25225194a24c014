"""Where a run's own work finds room: on CPUs of its own, or on those that the driver holds as a task of Ray's."""

from dataclasses import dataclass

import ray


@dataclass(frozen=True, slots=True)
class Place:
    """What the driver is to Ray."""

    is_inside: bool = False
    """Whether it runs in a task or an actor, which holds CPUs for as long as it waits for what it starts."""
    held: float = 0.0
    """CPUs that it holds, where it does."""
    free: float = 0.0
    """CPUs that nobody holds."""

    @property
    def cpus_a_task(self) -> int:
        """What a CPU task asks of Ray: nothing from inside, since the last CPU may be the one that the driver holds."""
        return 0 if self.is_inside else 1

    def most(self, workers: int) -> int:
        """How many CPU tasks may run at once.

        Args:
            workers: the user's limit.
        """
        return min(workers, max(1, int(self.held + self.free))) if self.is_inside else workers


def place_of_driver() -> Place:
    """Where this process is."""
    context = ray.get_runtime_context()
    if context.worker.mode != ray.WORKER_MODE:
        return Place()
    held = float(context.get_assigned_resources().get("CPU", 0.0))
    return Place(is_inside=True, held=held, free=float(ray.available_resources().get("CPU", 0.0)))
