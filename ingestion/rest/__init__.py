"""Reading HTTP interfaces: JSON with paging of several kinds, and OData version 4."""
