"""How much memory a process may use: what the machine has, or less where its group is limited."""

from pathlib import Path

import pytest

from data_designer.engine.execution.memory import memory_limit

MACHINE = memory_limit(Path("/nowhere"))
"""Bytes where nothing else is said."""
V1 = "5:cpu,cpuacct:/job\n4:memory:/job\n"


def system(root: Path, groups: str, limits: dict[str, str]) -> Path:
    """A file system in which groups have limits, by the name of the file."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, limit in limits.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{limit}\n")
    return root


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": "1000000"}, 1_000_000),  # In a container.
        ("0::/\n", {"memory.max": "max"}, MACHINE),
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "2000000"}, 2_000_000),
        ("0::/a/b\n", {"a/b/memory.max": "1000000", "a/memory.max": "2000000"}, 1_000_000),
        ("0::/a\n", {"a/memory.max": str(1 << 70)}, MACHINE),
        (V1, {"memory/job/memory.limit_in_bytes": "3000000"}, 3_000_000),
        (V1, {"memory/memory.limit_in_bytes": "4000000"}, 4_000_000),  # In a container.
        ("0::/a\n", {}, MACHINE),
        ("\nnothing that is known\n0::somewhere\n", {"somewhere/memory.max": "5000000"}, 5_000_000),
    ],
)
def test_the_smallest_limit_counts(tmp_path: Path, groups: str, limits: dict[str, str], expected: int) -> None:
    """Of the process's group and those around it, by either kind of groups."""
    assert memory_limit(system(tmp_path, groups, limits)) == expected
