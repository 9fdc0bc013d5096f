"""The service calls that make and end subscriptions, with what servers answer to large ones."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from asyncua import ua

from ingestion.collector.monitored_items import NO_ROOM

if TYPE_CHECKING:
    from ingestion.collector.session import Session

_log = logging.getLogger(__name__)


async def create_subscription(
    session: Session, parameters: ua.CreateSubscriptionParameters
) -> ua.CreateSubscriptionResult:
    """A subscription as the server revised it.

    Raises:
        ua.UaStatusCodeError: the server gives none.
    """
    # Not asyncua's own call, which would begin its Publish loop.
    request = ua.CreateSubscriptionRequest()
    request.Parameters = parameters
    data = await session.client.uaclient.session._send_request(request)
    response = ua.ua_binary.struct_from_binary(ua.CreateSubscriptionResponse, data)
    response.ResponseHeader.ServiceResult.check()
    return response.Parameters


async def create_items(
    session: Session, subscription_id: int, items: list[ua.MonitoredItemCreateRequest]
) -> list[ua.MonitoredItemCreateResult]:
    """One result an item; a call that is too large for the server is halved."""
    parameters = ua.CreateMonitoredItemsParameters()
    parameters.SubscriptionId = subscription_id
    parameters.ItemsToCreate = items
    parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    try:
        results = list(await session.client.uaclient.session.create_monitored_items(parameters))
    except ua.UaStatusCodeError as error:
        if error.code not in NO_ROOM:
            raise
        if len(items) == 1:
            return [ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(error.code))]
        half = len(items) // 2
        return [
            *await create_items(session, subscription_id, items[:half]),
            *await create_items(session, subscription_id, items[half:]),
        ]
    if len(results) != len(items):
        msg = f"the server answered {len(results)} results for {len(items)} monitored items"
        raise ua.UaError(msg)
    return results


async def delete_alone(session: Session, subscription_ids: list[int]) -> None:
    """Delete subscriptions that came along without the others; what the server refuses ends by itself."""
    if subscription_ids:
        try:
            await session.client.uaclient.session.delete_subscriptions(subscription_ids)
        except ua.UaError as error:
            _log.info("subscriptions that came along alone cannot be deleted: %s", error)


def status_name(code: int) -> str:
    """The name of a status code."""
    return str(ua.status_codes.get_name_and_doc(code)[0])
