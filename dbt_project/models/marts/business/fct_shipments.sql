with

shipments as (

    select * from {{ ref('stg_wms_main__shipments') }}

),

shipment_lines as (

    select * from {{ ref('stg_wms_main__shipment_lines') }}

)

select
    -- ids
    shipment_lines.shipment_id,
    shipment_lines.line_number,
    shipments.sales_order_id,
    shipments.customer_id,
    shipment_lines.lot_id,
    shipment_lines.material_id,
    shipment_lines.material_code,

    -- quantities
    shipment_lines.quantity,
    shipment_lines.unit_id,
    shipment_lines.quantity_kg,

    -- state
    shipments.status_code,
    shipments.planned_date,
    shipments.shipped_at_utc,
    shipment_lines.updated_at_utc
from shipment_lines
left join shipments on shipment_lines.shipment_id = shipments.shipment_id
