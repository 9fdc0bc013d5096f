"""Master data of the reference plant, with the code each system uses for the same thing.

The plant's code mappings (site mappings) must agree with this list; UNMAPPED_MATERIAL must never be in them.
"""

from __future__ import annotations

from dataclasses import dataclass

UNMAPPED_MATERIAL = "M-7734X"


@dataclass(frozen=True)
class Material:
    """One material and its three codes."""

    matnr: str  # ERP
    definition_id: str  # MES
    sku: str  # WMS
    name_zh: str
    mtart: str
    meins: str
    cas: str | None
    is_hazardous: bool


@dataclass(frozen=True)
class Partner:
    """A customer or a supplier as the ERP knows it."""

    number: str
    name_zh: str
    city_zh: str
    credit_code: str
    permit: str | None = None


AMMONIA = Material("000000000000100001", "M-1001", "NH3-L", "液氨", "ROH ", "KG ", "7664-41-7", True)
METHANOL = Material("000000000000100002", "M-1002", "CH3OH-T", "甲醇", "ROH ", "TO ", "67-56-1", True)
CHLORINE = Material("000000000000100003", "M-1003", "CL2-CYL", "液氯", "ROH ", "KG ", "7782-50-5", True)
CATALYST = Material("000000000000100004", "M-1004", "CAT-ZSM5", "ZSM-5催化剂", "HIBE", "KG ", None, False)
MIXED_AMINES = Material("000000000000500001", "M-5001", "MA-MIX", "混合甲胺", "FERT", "KG ", None, True)
MIXED_AMINES_BLEND = Material(
    "000000000000500002", "M-5002", "MA-MIX-B", "混合甲胺(调和)", "FERT", "KG ", None, True
)
STILL_RESIDUE = Material("000000000000900001", "M-9001", "W-RESID", "蒸馏残渣", "ABF ", "KG ", None, True)

MATERIALS = (AMMONIA, METHANOL, CHLORINE, CATALYST, MIXED_AMINES, MIXED_AMINES_BLEND, STILL_RESIDUE)

CUSTOMERS = (
    Partner("0000201001", "常州恒远农化有限公司", "常州", "91320400MA1N000A1X"),
    Partner("0000201002", "南通海蓝助剂有限公司", "南通", "91320600MA1N000B2Y"),
    Partner("0000201003", "宁波东港化工贸易有限公司", "宁波", "91330200MA2H000C3T"),
    Partner("0000201004", "苏州新禾医药中间体有限公司", "苏州", "91320500MA1P000D4R"),
)

SUPPLIERS = (
    Partner("0000301001", "江苏长江合成氨有限公司", "镇江", "91321100MA1Q000E5W", "苏危化经字(镇)00123"),
    Partner("0000301002", "宁夏西源甲醇股份有限公司", "银川", "91640100MA76000F6U", "宁危化经字00456"),
    Partner("0000301003", "泰兴新川氯碱有限公司", "泰兴", "91321283MA1R000G7K", "苏危化经字(泰)00789"),
    Partner("0000301004", "上海催化材料有限公司", "上海", "91310000MA1S000H8L", None),
)
SUPPLIER_OF = {
    AMMONIA.sku: SUPPLIERS[0],
    METHANOL.sku: SUPPLIERS[1],
    CHLORINE.sku: SUPPLIERS[2],
    CATALYST.sku: SUPPLIERS[3],
}
