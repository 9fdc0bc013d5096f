"""The address space of one control system: areas, equipment, tags with their types, units and ranges."""

from __future__ import annotations

from typing import Any

from asyncua import Node, Server, ua

from reference_plant.plant.batches import PhaseCode
from reference_plant.plant.tags import Tag

UNECE = "http://www.opcfoundation.org/UA/units/un/cefact"
UNITS = {  # unit as the tag tables write it: UNECE Recommendation 20 code and English name
    "mg/m3": ("GP", "milligram per cubic metre"),
    "mg/L": ("M1", "milligram per litre"),
    "%": ("P1", "percent"),
    "%LEL": ("P1", "percent of the lower explosive limit"),
    "ppm": ("59", "part per million"),
    "pH": ("Q30", "pH (potential of hydrogen)"),
    "°C": ("CEL", "degree Celsius"),
    "K": ("KEL", "kelvin"),
    "Pa": ("PAL", "pascal"),
    "MPa": ("MPA", "megapascal"),
    "m/s": ("MTS", "metre per second"),
    "L/s": ("G51", "litre per second"),
    "kg": ("KGM", "kilogram"),
    "kg/h": ("E93", "kilogram per hour"),
    "A": ("AMP", "ampere"),
    "kW": ("KWT", "kilowatt"),
    "kWh": ("KWH", "kilowatt hour"),
    "t": ("TNE", "tonne"),
    "m3": ("MTQ", "cubic metre"),
    "Nm3": ("NM3", "normalised cubic metre"),
}
AREAS_ZH = {
    "tank_farm": "罐区",
    "workshop": "生产车间",
    "packing": "包装车间",
    "environment_station": "环保站房",
    "utilities": "公用工程",
}
_DATA_TYPES = {
    "double": ua.ObjectIds.Double,
    "int32": ua.ObjectIds.Int32,
    "boolean": ua.ObjectIds.Boolean,
    "string": ua.ObjectIds.String,
}


async def add_tags(server: Server, namespace: int, tags: list[Tag]) -> None:
    """Adds every tag below Objects, area and equipment. Node ids of variables are the tag ids."""
    objects = server.nodes.objects
    parents: dict[str, Node] = {}
    for tag in tags:
        if tag.area not in parents:
            parents[tag.area] = await objects.add_folder(
                ua.NodeId(tag.area, namespace), f"{namespace}:{tag.area}"
            )
            await _write_names(server, parents[tag.area], AREAS_ZH[tag.area])
        equipment = tag.equipment_id or tag.area
        if equipment not in parents:
            node_id = ua.NodeId(f"equipment {equipment}", namespace)
            parents[equipment] = await parents[tag.area].add_object(node_id, f"{namespace}:{equipment}")
        await _add_variable(server, namespace, parents[equipment], tag)
        await _add_properties(server, namespace, tag)


async def write_unit(server: Server, namespace: int, tag: Tag, unit: str, shift: float) -> None:
    """Sets EngineeringUnits and moves EURange with it, as whoever resets a transmitter does."""
    units = server.get_node(ua.NodeId(f"{tag.tag_id}.EngineeringUnits", namespace))
    await units.write_value(engineering_units(unit))
    if tag.range_low is not None and tag.range_high is not None:
        limits = server.get_node(ua.NodeId(f"{tag.tag_id}.EURange", namespace))
        await limits.write_value(ua.Range(tag.range_low + shift, tag.range_high + shift))


def engineering_units(unit: str) -> ua.EUInformation:
    """The unit as OPC UA tells it: UNECE code packed into a number, and the sign people read."""
    code, name = UNITS[unit]
    return ua.EUInformation(
        NamespaceUri=UNECE,
        UnitId=int.from_bytes(code.encode(), "big"),
        DisplayName=ua.LocalizedText(unit),
        Description=ua.LocalizedText(name, "en"),
    )


async def _add_variable(server: Server, namespace: int, parent: Node, tag: Tag) -> None:
    attributes = ua.VariableAttributes()
    attributes.DisplayName = ua.LocalizedText(tag.label_zh, "zh-CN")
    attributes.Description = ua.LocalizedText(tag.label_en, "en")
    attributes.DataType = ua.NodeId(_DATA_TYPES[tag.data_type])
    attributes.Value = ua.Variant(None, ua.VariantType.Null)
    attributes.ValueRank = ua.ValueRank.Scalar
    attributes.MinimumSamplingInterval = float(tag.sampling_ms)
    attributes.Historizing = tag.has_history
    readable = [ua.AccessLevel.CurrentRead] + ([ua.AccessLevel.HistoryRead] if tag.has_history else [])
    attributes.AccessLevel = attributes.UserAccessLevel = sum(level.mask for level in readable)
    item = ua.AddNodesItem()
    item.RequestedNewNodeId = ua.NodeId(tag.tag_id, namespace)
    item.BrowseName = ua.QualifiedName(tag.tag_id, namespace)
    item.NodeClass = ua.NodeClass.Variable
    item.ParentNodeId = parent.nodeid
    item.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HasComponent)
    item.TypeDefinition = ua.NodeId(_type_definition(tag))
    item.NodeAttributes = attributes
    (result,) = await server.iserver.isession.add_nodes([item])
    result.StatusCode.check()


def _type_definition(tag: Tag) -> int:
    if tag.data_type == "boolean":
        return int(ua.ObjectIds.TwoStateDiscreteType)
    if tag.data_type == "int32":
        return int(ua.ObjectIds.MultiStateDiscreteType)
    if tag.unit and tag.range_low is not None:
        return int(ua.ObjectIds.AnalogItemType)
    return int(ua.ObjectIds.AnalogUnitType if tag.unit else ua.ObjectIds.DataItemType)


async def _add_properties(server: Server, namespace: int, tag: Tag) -> None:
    found: dict[str, Any] = {}
    if tag.unit:
        found["EngineeringUnits"] = engineering_units(tag.unit)
    if tag.range_low is not None and tag.range_high is not None:
        found["EURange"] = ua.Range(tag.range_low, tag.range_high)
    if tag.data_type == "boolean":
        found |= {"TrueState": ua.LocalizedText("开 / open"), "FalseState": ua.LocalizedText("关 / closed")}
    if tag.data_type == "int32":
        found["EnumStrings"] = [ua.LocalizedText(text) for text in _enum_strings(tag)]
    variable = server.get_node(ua.NodeId(tag.tag_id, namespace))
    for name, value in found.items():
        await variable.add_property(
            ua.NodeId(f"{tag.tag_id}.{name}", namespace), ua.QualifiedName(name), value
        )


def _enum_strings(tag: Tag) -> list[str]:
    if tag.tag_id == "R301.PHASE":
        return [code.name.lower() for code in PhaseCode]
    states = {0: "run", 1: "maintain", 2: "fault", 3: "calibrate", 5: "back-flush"}
    states |= {6: "power fault", 8: "standardise", 9: "standby"}
    return [states.get(code, "") for code in range(10)]


async def _write_names(server: Server, node: Node, label_zh: str) -> None:
    value = ua.DataValue(ua.Variant(ua.LocalizedText(label_zh, "zh-CN")))
    await server.write_attribute_value(node.nodeid, value, ua.AttributeIds.DisplayName)
