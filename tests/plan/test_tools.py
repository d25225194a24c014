"""Which tools an alias has, of what its servers offer."""

import pytest

import data_designer.config as dd
from data_designer.errors import DuplicateToolNameError, MCPConfigurationError
from data_designer.plan.tools import Tool, ToolSet, tool_set


def tool(name: str, provider: str) -> Tool:
    """A tool of which nothing else matters."""
    return Tool(name, provider, {"name": name})


OFFERED = {"p": [tool("add", "p"), tool("echo", "p")], "q": [tool("add", "q"), tool("find", "q")]}


def config(*providers: str, **more: object) -> dd.ToolConfig:
    """A tool config."""
    return dd.ToolConfig.model_validate({"tool_alias": "t", "providers": list(providers), **more})


def test_all_tools_of_all_providers_are_allowed() -> None:
    """In their order; a provider that is named twice counts once."""
    found = tool_set(config("p", "p", max_tool_call_turns=3, timeout_sec=2), OFFERED)
    assert found == ToolSet("t", (tool("add", "p"), tool("echo", "p")), 3, 2.0)


def test_a_list_allows_what_is_on_it() -> None:
    """An empty one nothing; a name that two servers have does no harm where it is not on the list."""
    assert tool_set(config("p", allow_tools=[]), OFFERED).tools == ()
    assert tool_set(config("p", "q", allow_tools=["find", "echo"]), OFFERED).names == ["echo", "find"]


def test_one_name_of_two_servers_is_refused() -> None:
    """The model could not say which it means."""
    with pytest.raises(DuplicateToolNameError, match="'p' and 'q' both have a tool 'add'"):
        tool_set(config("p", "q"), OFFERED)


def test_a_name_that_nobody_offers_is_refused() -> None:
    """All of them at once."""
    with pytest.raises(MCPConfigurationError, match="allows 'a', 'b', which none of its providers"):
        tool_set(config("p", allow_tools=["b", "a", "add"]), OFFERED)


def test_tools_decide_a_columns_fingerprint() -> None:
    """What may be called does, how long it may take does not."""
    assert _hash() == _hash(timeout_sec=1)
    assert len({_hash(), _hash(allow_tools=[]), _hash(allow_tools=["add"]), _hash(max_tool_call_turns=1)}) == 4


def _hash(**more: object) -> object:
    made = dd.DataDesignerConfigBuilder(tool_configs=[config("p", **more)])
    made.add_column(name="x", column_type="llm-text", prompt="P", model_alias="m", tool_alias="t")
    return made.build().fingerprint()["config_hash"]
