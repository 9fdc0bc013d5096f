"""Business-side connectors, one module a protocol; each returns Arrow and writes only through the lake."""
