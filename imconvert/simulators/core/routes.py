"""Find the endpoint of a request: by its whole path where that is fixed, else part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import unquote

from imconvert.simulators.core.vendor import Endpoint

NOTHING: Mapping[str, str] = {}


class Routes:
    """The endpoints; `where` makes whole paths of theirs."""

    def __init__(self, endpoints: Iterable[Endpoint], where: Callable[[str], str]) -> None:
        self._fixed: dict[tuple[str, str], Endpoint] = {}
        self._open: dict[tuple[str, int], list[tuple[list[str], Endpoint]]] = {}
        for endpoint in endpoints:
            path = where(endpoint.path)
            if "{" in path:
                parts = path.split("/")
                self._open.setdefault((endpoint.method, len(parts)), []).append((parts, endpoint))
            else:
                self._fixed[endpoint.method, path] = endpoint

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]] | None:
        """The endpoint and the parts of its path; `path` is as it was sent, still quoted."""
        fixed = self._fixed.get((method, path))
        if fixed:
            return fixed, NOTHING
        given = path.split("/")
        for parts, endpoint in self._open.get((method, len(given)), ()):
            if all(part == one or (part[:1] == "{" and one) for part, one in zip(parts, given, strict=True)):
                pairs = zip(parts, given, strict=True)
                return endpoint, {part[1:-1]: unquote(one) for part, one in pairs if part[:1] == "{"}
        return None
