"""The only package that imports dagster, and the `chemlink` command line, which imports it lazily."""
