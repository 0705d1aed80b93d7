"""What programs ask for: records as JSON, and the tools of an MCP server."""
