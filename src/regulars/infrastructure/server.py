"""Ask the server that holds a workspace, as a program on its machine whose user may read the folder."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from regulars import errors
from regulars.errors import QueryError, RegularsError, WorkspaceError

if TYPE_CHECKING:
    from pathlib import Path

TOKEN_NAME = "server.token"  # noqa: S105 -- the name of a file
FRESH = "x-regulars-fresh"  # this question is to see everything that was tracked before it
_SECONDS = 600  # an import takes its time
# Never through a proxy: the address is one of this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServerConnection:
    """The API of a running server."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self._token = token

    @classmethod
    def of(cls, folder: Path, address: object) -> ServerConnection | None:
        """The server of a workspace folder; None where there is none, or its token cannot be read."""
        try:
            token = (folder / TOKEN_NAME).read_text(encoding="ascii")
        except (OSError, UnicodeError):
            return None
        return cls(address, token) if isinstance(address, str) else None

    def ask(self, path: str, content: bytes) -> bytes:
        """Send JSON and return the answer.

        Errors: what the server says, as the error that it was there; :class:`WorkspaceError` ``no_answer``.
        """
        request = urllib.request.Request(  # noqa: S310 -- the scheme is that of our own server
            f"{self.address}{path}",
            content,
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", FRESH: "1"},
        )
        try:
            with _OPENER.open(request, timeout=_SECONDS) as response:
                answer: bytes = response.read()
                return answer
        except urllib.error.HTTPError as exc:
            with exc:
                raise _error_of(exc.read()) from None
        except OSError as exc:
            raise WorkspaceError(
                f"the server at {self.address}, which holds the workspace, does not answer ({exc}); "
                "try again in a moment, or stop it",
                code="no_answer", address=self.address,
            ) from exc  # fmt: skip


def _error_of(body: bytes) -> RegularsError:
    try:
        told: dict[str, Any] = json.loads(body)["error"]
        kind, code, message = told.get("kind", "WorkspaceError"), str(told["code"]), str(told["message"])
    except (ValueError, KeyError, TypeError):
        return WorkspaceError("the server's answer cannot be read", code="no_answer")
    found = getattr(errors, kind, WorkspaceError)
    # Its message is written already, so it need not be composed from a name and what is allowed.
    made = QueryError if found is errors.UnknownNameError else found
    is_ours = isinstance(made, type) and issubclass(made, RegularsError) and made is not errors.MissingExtraError
    return made(message, code=code) if is_ours else WorkspaceError(message, code=code)
