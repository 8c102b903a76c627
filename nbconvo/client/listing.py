"""The models that a service offers."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from nbconvo.client.connection import error_of, proxy_for
from nbconvo.client.patience import Link
from nbconvo.client.reading import object_of, redirected
from nbconvo.services import BaseService, ModelInfo

__all__ = ["listed"]


async def listed(
    service: BaseService, headers: Mapping[str, str], connector: aiohttp.TCPConnector
) -> tuple[ModelInfo, ...]:
    """Ask the service for its models, over one of the connections of ``connector``.

    Raises:
        ServiceError: If the service does not answer as asked.
    """
    request = service.models_request()
    link = Link(service)
    try:
        # Asked for so seldom that aiohttp's own session does it, over the same connections.
        async with aiohttp.ClientSession(
            connector=connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as http:
            response = await http.request(
                "GET",
                request.url,
                headers={**headers, **request.headers},
                proxy=proxy_for(request.url),
                timeout=aiohttp.ClientTimeout(
                    total=service.total_timeout,
                    connect=service.connect_timeout,
                    sock_read=service.timeout,
                ),
                allow_redirects=False,
            )
            body = await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise error_of(error, link) from None
    if response.status >= 400:
        said = body.decode("utf-8", "replace")
        raise service.failure(response.status, response.headers, said, None)
    if response.status >= 300:
        raise redirected(service, response.headers)
    # Together lists them without anything around the list.
    listed = b'{"data":' + body + b"}" if body.lstrip()[:1] == b"[" else body
    return service.models(object_of(service, listed))
