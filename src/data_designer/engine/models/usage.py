"""What a facade says of what was asked through it."""

from dataclasses import dataclass, field

from data_designer.values import Usage


@dataclass
class TokenUsageStats:
    """Tokens of all replies."""

    input_tokens: int = 0
    """Of prompts."""
    output_tokens: int = 0
    """Of replies."""
    reasoning_tokens: int = 0
    """Of replies, those of reasoning."""

    @property
    def total_tokens(self) -> int:
        """In and out."""
        return self.input_tokens + self.output_tokens


@dataclass
class RequestUsageStats:
    """Requests by how they ended."""

    successful_requests: int = 0
    """Requests that got a reply."""
    failed_requests: int = 0
    """Attempts that got none."""

    @property
    def total_requests(self) -> int:
        """All of them."""
        return self.successful_requests + self.failed_requests


@dataclass
class ImageUsageStats:
    """Images that were made."""

    total_images: int = 0
    """How many."""


@dataclass
class ToolUsageStats:
    """Calls of tools, and what asked for them."""

    total_tool_calls: int = 0
    total_tool_call_turns: int = 0
    """Replies whose calls were made."""
    total_generations: int = 0
    """`generate` that was given a `tool_alias`."""
    generations_with_tools: int = 0
    """Those of them in which a tool was called."""


@dataclass
class ModelUsageStats:
    """What was asked through a facade, and what it came to."""

    token_usage: TokenUsageStats = field(default_factory=TokenUsageStats)
    """Tokens."""
    request_usage: RequestUsageStats = field(default_factory=RequestUsageStats)
    """Requests."""
    tool_usage: ToolUsageStats = field(default_factory=ToolUsageStats)
    """Calls of tools."""
    image_usage: ImageUsageStats = field(default_factory=ImageUsageStats)
    """Images."""

    def add(self, usage: Usage) -> None:
        """Count a reply."""
        self.token_usage.input_tokens += usage.input_tokens
        self.token_usage.output_tokens += usage.output_tokens
        self.token_usage.reasoning_tokens += usage.reasoning_tokens
        self.request_usage.successful_requests += usage.requests
        self.request_usage.failed_requests += usage.failed_requests
        self.tool_usage.total_tool_calls += usage.tool_calls
        self.tool_usage.total_tool_call_turns += usage.tool_turns
        self.image_usage.total_images += usage.images
