"""What a server says of a variable: type, access, history, unit, range, names in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asyncua import ua

from ingestion.collector.limits import chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingestion.collector.browsing import Variable
    from ingestion.collector.session import Session

CHINESE, ENGLISH = ("zh-CN", "zh", "zh-Hans"), ("en", "en-US")
_ATTRIBUTES = {
    "data_type": ua.AttributeIds.DataType,
    "value_rank": ua.AttributeIds.ValueRank,
    "access": ua.AttributeIds.UserAccessLevel,
    "sampling": ua.AttributeIds.MinimumSamplingInterval,
    "historizing": ua.AttributeIds.Historizing,
    "display": ua.AttributeIds.DisplayName,
    "description": ua.AttributeIds.Description,
}
_PROPERTIES = (
    "EngineeringUnits", "EURange", "InstrumentRange", "EnumStrings", "EnumValues", "TrueState", "FalseState",
)  # fmt: skip
_SUPERTYPE_STEPS = 20  # a chain of types longer than this is a loop


@dataclass(frozen=True)
class NodeFacts:
    """One variable as its server describes it.

    Attributes:
        texts: display names and descriptions, in the order of preference, as the server localised them.
        sampling_ms: its smallest sampling interval; negative where it does not say, 0 for any.
        states: names of an enumeration's or switch's values.
    """

    variable: Variable
    data_type: str
    is_readable: bool
    has_history: bool
    is_historizing: bool
    sampling_ms: float
    unit: str | None
    low: float | None
    high: float | None
    texts: tuple[ua.LocalizedText, ...]
    states: Mapping[int, str]


class FactsReader:
    """Reads facts over one session, in calls that the server takes."""

    def __init__(
        self, session: Session, on_progress: Callable[[int], None] = lambda _variables: None
    ) -> None:
        self._client = session.client
        self._at_once = session.limits.nodes_per_read
        self._on_progress = on_progress
        self._type_names: dict[ua.NodeId, str] = {}

    async def read(self, variables: Sequence[Variable]) -> list[NodeFacts]:
        """The facts of each variable.

        Raises:
            OSError, TimeoutError, ua.UaStatusCodeError: the session or the service failed.
        """
        english = await self._read_all(variables)
        chinese = await self._in_chinese(variables)
        facts = []
        for variable, attributes, localised in zip(variables, english, chinese, strict=True):
            facts.append(await self._facts(variable, attributes, localised))
        return facts

    async def _read_all(self, variables: Sequence[Variable]) -> list[dict[str, Any]]:
        wanted: list[tuple[int, str, ua.NodeId, ua.AttributeIds]] = []
        for position, variable in enumerate(variables):
            wanted += [
                (position, name, variable.node_id, attribute) for name, attribute in _ATTRIBUTES.items()
            ]
            held = [name for name in _PROPERTIES if name in variable.properties]
            wanted += [(position, name, variable.properties[name], ua.AttributeIds.Value) for name in held]
        found: list[dict[str, Any]] = [{} for _ in variables]
        for part in chunks(wanted, self._at_once):
            for (position, name, _, _), value in zip(part, await self._read(part), strict=True):
                found[position][name] = value
            self._on_progress(part[-1][0] + 1)
        return found

    async def _in_chinese(self, variables: Sequence[Variable]) -> list[dict[str, Any]]:
        """Names and descriptions again, after asking for Chinese; none where the server will not change."""
        self._client.set_locale(CHINESE)
        try:
            await self._client.activate_session(
                self._client._username, self._client._password, self._client.user_certificate
            )
        except ua.UaStatusCodeError:
            return [{} for _ in variables]
        wanted = [
            (position, name, variable.node_id, _ATTRIBUTES[name])
            for position, variable in enumerate(variables)
            for name in ("display", "description")
        ]
        found: list[dict[str, Any]] = [{} for _ in variables]
        for part in chunks(wanted, self._at_once):
            for (position, name, _, _), value in zip(part, await self._read(part), strict=True):
                found[position][name] = value
        return found

    async def _read(self, part: Sequence[tuple[int, str, ua.NodeId, ua.AttributeIds]]) -> list[Any]:
        parameters = ua.ReadParameters()
        for _, _, node_id, attribute in part:
            wanted = ua.ReadValueId()
            wanted.NodeId, wanted.AttributeId = node_id, attribute
            parameters.NodesToRead.append(wanted)
        values = await self._client.uaclient.session.read(parameters)
        return [None if value.Value is None else value.Value.Value for value in values]

    async def _facts(
        self, variable: Variable, attributes: Mapping[str, Any], localised: Mapping[str, Any]
    ) -> NodeFacts:
        access = attributes["access"] or 0
        low, high = _range(attributes)
        texts = [found.get(name) for name in ("description", "display") for found in (localised, attributes)]
        return NodeFacts(
            variable=variable,
            data_type=await self._type_name(attributes["data_type"], attributes["value_rank"]),
            is_readable=bool(access & ua.AccessLevel.CurrentRead.mask),
            has_history=bool(access & ua.AccessLevel.HistoryRead.mask),
            is_historizing=bool(attributes["historizing"]),
            sampling_ms=float(attributes["sampling"] if attributes["sampling"] is not None else -1),
            unit=_unit(attributes.get("EngineeringUnits")),
            low=low,
            high=high,
            texts=tuple(text for text in texts if isinstance(text, ua.LocalizedText) and text.Text),
            states=_states(attributes),
        )

    async def _type_name(self, node_id: ua.NodeId | None, value_rank: int | None) -> str:
        name = "unknown" if node_id is None else await self._scalar_name(node_id)
        return f"{name}[]" if value_rank is not None and value_rank >= 0 else name

    async def _scalar_name(self, node_id: ua.NodeId) -> str:
        """The built-in type at the bottom of a type's chain of supertypes."""
        if node_id in self._type_names:
            return self._type_names[node_id]
        at: ua.NodeId | None = node_id
        name = "structure"
        for _ in range(_SUPERTYPE_STEPS):
            if at is None:
                break
            builtin = _builtin_name(at)
            if builtin is not None:
                name = builtin
                break
            at = await self._supertype(at)
        self._type_names[node_id] = name
        return name

    async def _supertype(self, node_id: ua.NodeId) -> ua.NodeId | None:
        try:
            parents = await self._client.get_node(node_id).get_references(
                ua.ObjectIds.HasSubtype, ua.BrowseDirection.Inverse
            )
        except ua.UaStatusCodeError:
            return None
        return parents[0].NodeId if parents else None


def _builtin_name(node_id: ua.NodeId) -> str | None:
    if node_id.NamespaceIndex != 0 or not isinstance(node_id.Identifier, int):
        return None
    if node_id.Identifier == ua.ObjectIds.Enumeration:
        return "int32"
    if node_id.Identifier == ua.ObjectIds.Number:
        return "double"
    if node_id.Identifier > ua.VariantType.DiagnosticInfo.value:
        return None
    name = ua.VariantType(node_id.Identifier).name.lower()
    return "structure" if name == "extensionobject" else name


def _unit(information: Any) -> str | None:
    return (information.DisplayName.Text or None) if isinstance(information, ua.EUInformation) else None


def _range(attributes: Mapping[str, Any]) -> tuple[float | None, float | None]:
    for name in ("EURange", "InstrumentRange"):
        limits = attributes.get(name)
        if isinstance(limits, ua.Range) and limits.Low < limits.High:
            return float(limits.Low), float(limits.High)
    return None, None


def _states(attributes: Mapping[str, Any]) -> dict[int, str]:
    strings, values = attributes.get("EnumStrings"), attributes.get("EnumValues")
    if isinstance(values, list):
        return {int(one.Value): one.DisplayName.Text or "" for one in values}
    if isinstance(strings, list):
        return {number: text.Text for number, text in enumerate(strings) if text.Text}
    switch = {0: attributes.get("FalseState"), 1: attributes.get("TrueState")}
    return {number: text.Text for number, text in switch.items() if text is not None and text.Text}
