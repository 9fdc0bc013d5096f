"""What can go wrong on the way out.

ExportError
├── SpecError           a report, endpoint or register says something that cannot be meant
├── RenderError         rows that cannot be written as the receiver wants them
├── MissingSecretError  an endpoint names a secret that is not there
├── TransientError      the same bytes may be accepted later: try again
│   └── EndpointError           every submission would fail alike: rest the endpoint
│       ├── UnreachableError        nobody answers there
│       └── CredentialsError        it does not accept who we say we are
└── PermanentError      the receiver refused these bytes: never send them again unchanged
"""

from __future__ import annotations


class ExportError(Exception):
    """Anything that keeps a report from its receiver."""


class SpecError(ExportError):
    """A declaration (report, endpoint, register) that cannot be followed."""


class RenderError(ExportError):
    """Rows that cannot be written as the receiver wants them."""


class MissingSecretError(ExportError):
    """An endpoint names a secret that neither the site nor the environment holds."""

    def __init__(self, name: str, looked_in: str) -> None:
        self.name = name
        super().__init__(
            f"secret {name!r}: looked in {looked_in} and found nothing; write it to a file of that name "
            f"with mode 0600, or set CHEMLINK_SECRET_{name.upper()}"
        )


class TransientError(ExportError):
    """The receiver may accept the same bytes later.

    Args:
        message: what was sent, what came back, what happens next.
        body: the receiver's own bytes, when it answered.
        expected_sequence: the number the receiver wants next, when it says so.
    """

    def __init__(self, message: str, *, body: bytes = b"", expected_sequence: int | None = None) -> None:
        self.body = body
        self.expected_sequence = expected_sequence
        super().__init__(message)


class EndpointError(TransientError):
    """The endpoint as a whole takes nothing at present; no submission is to blame."""


class UnreachableError(EndpointError):
    """No connection could be made or kept."""


class CredentialsError(EndpointError):
    """The receiver does not accept our password or signature; sending on would only repeat that."""


class PermanentError(ExportError):
    """The receiver read these bytes and refuses them.

    Args:
        message: what was sent and what was refused.
        body: the receiver's own bytes.
        reference: the receiver's number of the refusal, where it gives one.
    """

    def __init__(self, message: str, *, body: bytes = b"", reference: str | None = None) -> None:
        self.body = body
        self.reference = reference
        super().__init__(message)
