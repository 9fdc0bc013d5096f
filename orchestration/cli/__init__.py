"""The `chemlink` command: one small module a group of commands, each importing what it needs when it runs.

`chemlink collect` must start where the platform is not installed, so nothing here imports it.
"""

from __future__ import annotations

import typer

from orchestration.cli import (
    catalog,
    codes,
    contract,
    control_zone,
    diode,
    evidence,
    exits,
    extracting,
    processes,
    readers,
    reports,
    site,
)
from orchestration.cli.output import fail

# Errors that say that a file of the site is wrong; by name, so that nothing is imported to tell.
SETTINGS_ERRORS = {
    "orchestration.site.SettingsError",
    "orchestration.generated.NotManualError",
    "orchestration.proving.BundleError",
    "ingestion.collector.settings_base.SettingsError",
    "ingestion.collector.tag_table.TagTableError",
    "ingestion.collector.trust_list.UnknownCertificateError",
    "ingestion.errors.RegistryError",
    "exports.errors.SpecError",
    "protocols.keys.KeyFileError",
}
OUR_PACKAGES = {
    "lake",
    "contracts",
    "protocols",
    "ingestion",
    "transforms",
    "quality_checks",
    "exports",
    "orchestration",
}

app = typer.Typer(
    name="chemlink",
    help="ChemLink: an open lakehouse for chemical plants, from OPC UA to the regulator's receipt.\n\n"
    "面向化工厂的开放湖仓：从 OPC UA 到监管回执。",
    epilog=exits.EXIT_CODES_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for module in (site, processes, diode, control_zone, readers, evidence, reports, extracting):
    module.register(app)
app.add_typer(contract.app, name="contract")
app.add_typer(contract.docs_app, name="docs")
app.add_typer(catalog.app, name="catalog")
app.add_typer(codes.app, name="codes")


def main() -> None:
    """Run the command line; errors of ours are told in one message, anything else keeps its traceback."""
    try:
        app()
    except Exception as error:
        kind = type(error)
        if kind.__module__.split(".")[0] not in OUR_PACKAGES:
            raise
        is_settings = f"{kind.__module__}.{kind.__qualname__}" in SETTINGS_ERRORS
        _end(error, exits.ExitCode.USAGE if is_settings else exits.ExitCode.FAILURE)


def _end(error: Exception, code: exits.ExitCode) -> None:
    try:
        fail(f"chemlink: {error}", code)
    except typer.Exit as ending:
        raise SystemExit(ending.exit_code) from error
