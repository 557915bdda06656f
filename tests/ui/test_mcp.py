"""Every tab as a tool of the Model Context Protocol, asked by its own client."""

from ast import literal_eval

import pytest

from tests.conftest import played
from ui import TABS

pytest.importorskip("mcp", reason="the extra mcp is not installed")


async def told(url):
    """The tools by name, a result, and what a wrong value gets."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async with streamablehttp_client(f"{url}gradio_api/mcp/") as (read, write, _), ClientSession(read, write) as client:
        await client.initialize()
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        given = {"view": "calculator"}
        return tools, await client.call_tool("moe", given), await client.call_tool("moe", {**given, "k": 99})


def test_every_endpoint_is_a_tool_with_documented_types(app_url):
    tools, good, bad = played(told(app_url))
    assert set(tools) == {*(tab.slug for tab in TABS), "everything"}
    for tab in TABS:
        fields = tools[tab.slug].inputSchema["properties"]
        assert tab.slug == "segment" or tab.question in tools[tab.slug].description
        assert all(field.get("description") for field in fields.values()), tab.slug
        untyped = [name for name, field in fields.items() if not {"type", "enum", "oneOf", "anyOf"} & field.keys()]
        assert set(untyped) <= {"picture"}, (tab.slug, untyped)
    assert "calculator" in tools["moe"].inputSchema["properties"]["view"]["enum"]
    assert not good.isError and literal_eval(good.content[0].text)["finished"] is True
    assert bad.isError and "must lie between 1 and 8." in bad.content[0].text
