"""What a Ray of this machine is started without: processes that do nothing for who runs a dataset.

Of Ray's own six, four each hold an interpreter with Ray in it, and the raylet waits for two of them.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from ray import _raylet
from ray._private import parameter, ray_constants, services

from data_designer.distributed.replaced import replaced

_USAGE = "RAY_USAGE_STATS_ENABLED"
_PIPE = "RAY_enable_pipe_based_agent_to_parent_health_check"
"""Ray's own setting; without it an agent's standard input is not held by the raylet."""
_HEX_DIGITS_OF_NODE = 56
_NO_PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port")
"""What the dashboard agent tells the raylet, as Ray names it."""
_PORT = "runtime_env_agent_port"
"""What the other agent does."""
_STAND_IN = str(Path(__file__).with_name("idle_agent.py"))


@contextmanager
def lean() -> Iterator[None]:
    """A node that is started inside has no process that only others would need.

    - Monitor: scales clusters, of which a Ray for one machine is none.
    - Log monitor: sends the lines of workers' logs to drivers, which here ask for none. The files are there.
    - Dashboard: without its pages it only reports usage, which is off unless the user turned it on.
    - Dashboard agent: exports metrics at a port that Ray tells nobody but a dashboard. Where Ray is installed without
      `ray[default]` it is there and does nothing, so one that does nothing is known to the rest.
    - Runtime environment agent: only who gives a task another environment needs it. It starts when it is asked.
    """
    with ExitStack() as stack:
        unwatched = partial(parameter.RayParams, no_monitor=True, include_log_monitor=False)
        stack.enter_context(replaced(parameter, "RayParams", unwatched))
        if os.environ.get(_USAGE) in (None, "0"):
            stack.enter_context(replaced(services, "start_api_server", lambda *_, **__: ("", None)))
        if _agents_are_known():
            name = "_build_python_executable_command_memory_profileable"
            stack.enter_context(replaced(services, name, _idle_first(getattr(services, name))))
        yield


def _agents_are_known() -> bool:
    """Whether agents of this Ray tell ports and learn of the raylet's end in the ways that `idle_agent` knows."""
    name_of = getattr(_raylet, "get_port_filename", None)
    if sys.platform != "linux" or name_of is None or os.environ.get(_PIPE, "1").lower() in ("0", "false"):
        return False
    node = "0" * _HEX_DIGITS_OF_NODE
    return bool(name_of(node, "port") == f"port_{node}")


def _idle_first(start: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Ray's beginning of a Python process's command, with what stands in for an agent before it."""
    stand_ins = {
        ray_constants.PROCESS_TYPE_DASHBOARD_AGENT: ["absent", ",".join(_NO_PORTS)],
        ray_constants.PROCESS_TYPE_RUNTIME_ENV_AGENT: ["asleep", _PORT],
    }

    def command(component: str, *settings: object, **named: object) -> list[str]:
        real = start(component, *settings, **named)
        stand_in = stand_ins.get(component)
        return [sys.executable, "-I", "-S", _STAND_IN, *stand_in, *real] if stand_in else real

    return command
