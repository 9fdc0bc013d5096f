"""Open Data Contract Standard files: loading, checking, and everything generated from them."""
