{#- Generated from the contracts by `chemlink contract manifest`; a test refuses drift. Do not edit. -#}
{% macro coded_columns() %}
    {{ return([
        {"system_id": "erp_main", "table": "materials", "is_stream": False, "codes": [["material_code", "material"], ["base_unit_code", "unit"]], "quantity": none, "unit": none, "amount": none, "currency": none},
        {"system_id": "erp_main", "table": "purchase_invoices", "is_stream": False, "codes": [["unit_code", "unit"]], "quantity": "quantity", "unit": "unit_code", "amount": "net_value", "currency": "currency_code"},
        {"system_id": "erp_main", "table": "purchase_order_lines", "is_stream": False, "codes": [["material_code", "material"], ["unit_code", "unit"]], "quantity": "quantity", "unit": "unit_code", "amount": none, "currency": none},
        {"system_id": "erp_main", "table": "purchase_receipts", "is_stream": False, "codes": [["material_code", "material"], ["unit_code", "unit"]], "quantity": "quantity", "unit": "unit_code", "amount": none, "currency": none},
        {"system_id": "erp_main", "table": "sales_order_lines", "is_stream": False, "codes": [["material_code", "material"], ["unit_code", "unit"]], "quantity": "quantity", "unit": "unit_code", "amount": none, "currency": none},
        {"system_id": "instruments_main", "table": "tags", "is_stream": True, "codes": [["equipment_id", "equipment"]], "quantity": none, "unit": none, "amount": none, "currency": none},
        {"system_id": "iot_main", "table": "tags", "is_stream": True, "codes": [["equipment_id", "equipment"]], "quantity": none, "unit": none, "amount": none, "currency": none},
        {"system_id": "mes_main", "table": "batch_materials", "is_stream": False, "codes": [["material_code", "material"], ["unit_code", "unit"]], "quantity": "quantity", "unit": "unit_code", "amount": none, "currency": none},
        {"system_id": "mes_main", "table": "batch_outputs", "is_stream": False, "codes": [["material_code", "material"], ["unit_code", "unit"]], "quantity": "quantity", "unit": "unit_code", "amount": none, "currency": none},
        {"system_id": "mes_main", "table": "batches", "is_stream": False, "codes": [["equipment_id", "equipment"], ["unit_code", "unit"]], "quantity": "actual_quantity", "unit": "unit_code", "amount": none, "currency": none},
        {"system_id": "mes_main", "table": "production_orders", "is_stream": False, "codes": [["material_code", "material"], ["unit_code", "unit"]], "quantity": "planned_quantity", "unit": "unit_code", "amount": none, "currency": none},
        {"system_id": "opcua_environment", "table": "tags", "is_stream": True, "codes": [["equipment_id", "equipment"]], "quantity": none, "unit": none, "amount": none, "currency": none},
        {"system_id": "opcua_production", "table": "tags", "is_stream": True, "codes": [["equipment_id", "equipment"]], "quantity": none, "unit": none, "amount": none, "currency": none},
        {"system_id": "wms_main", "table": "lots", "is_stream": False, "codes": [["material_code", "material"], ["unit_code", "unit"]], "quantity": "quantity_on_hand", "unit": "unit_code", "amount": none, "currency": none},
        {"system_id": "wms_main", "table": "shipment_lines", "is_stream": False, "codes": [["material_code", "material"], ["unit_code", "unit"]], "quantity": "quantity", "unit": "unit_code", "amount": none, "currency": none},
        {"system_id": "wms_main", "table": "stock_movements", "is_stream": False, "codes": [["material_code", "material"], ["unit_code", "unit"]], "quantity": "quantity", "unit": "unit_code", "amount": none, "currency": none}
    ]) }}
{% endmacro %}
