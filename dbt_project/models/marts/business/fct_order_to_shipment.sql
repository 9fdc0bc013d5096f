with

order_lines as (

    select * from {{ ref('fct_sales_order_lines') }}

),

batches as (

    select * from {{ ref('fct_production_batches') }}

),

shipments as (

    select * from {{ ref('fct_shipments') }}

),

product_outputs as (

    select
        batch_id,
        lot_id
    from {{ ref('stg_mes_main__batch_outputs') }}
    where output_type = 'PRODUCT'

),

genealogy as (

    select * from {{ ref('fct_lot_genealogy') }}

),

-- Which batches are in a lot: the one that made it, and those that made what it was split off or blended from.
lot_batches as (

    select
        lot_id,
        batch_id
    from product_outputs
    union
    select
        genealogy.descendant_lot_id as lot_id,
        product_outputs.batch_id
    from genealogy
    inner join product_outputs on genealogy.ancestor_lot_id = product_outputs.lot_id

),

-- A shipment names its order and not the line: the material tells.
shipped as (

    select
        order_lines.sales_order_id,
        order_lines.line_number,
        lot_batches.batch_id,
        shipments.lot_id,
        shipments.shipment_id,
        shipments.line_number as shipment_line_number,
        shipments.quantity_kg as shipped_kg,
        shipments.shipped_at_utc
    from order_lines
    inner join shipments
        on
            order_lines.sales_order_id = shipments.sales_order_id
            and order_lines.material_id = shipments.material_id
    left join lot_batches on shipments.lot_id = lot_batches.lot_id

),

-- A line that has no shipment yet stands with what was made for it.
not_yet_shipped as (

    select
        order_lines.sales_order_id,
        order_lines.line_number,
        batches.batch_id,
        product_outputs.lot_id,
        null as shipment_id,
        null as shipment_line_number,
        null as shipped_kg,
        null as shipped_at_utc
    from order_lines
    left join shipped
        on order_lines.sales_order_id = shipped.sales_order_id and order_lines.line_number = shipped.line_number
    left join batches
        on
            order_lines.sales_order_id = batches.sales_order_id
            and order_lines.line_number = batches.sales_order_line_number
    left join product_outputs on batches.batch_id = product_outputs.batch_id
    where shipped.sales_order_id is null

),

chains as (

    select * from shipped
    union all
    select * from not_yet_shipped

)

select
    -- ids
    chains.sales_order_id || '/' || cast(chains.line_number as varchar) || '/' || coalesce(chains.batch_id, '-')
    || '/' || coalesce(chains.lot_id, '-') || '/' || coalesce(chains.shipment_id, '-')
    || '/' || coalesce(cast(chains.shipment_line_number as varchar), '-') as chain_id,
    chains.sales_order_id,
    chains.line_number,
    order_lines.customer_id,
    order_lines.material_id,
    batches.production_order_id,
    chains.batch_id,
    chains.lot_id,
    chains.shipment_id,
    cast(chains.shipment_line_number as integer) as shipment_line_number,

    -- quantities
    order_lines.quantity_kg as ordered_kg,
    batches.product_kg as batch_product_kg,
    cast(chains.shipped_kg as double) as shipped_kg,

    -- state
    order_lines.is_cancelled,
    order_lines.order_date,
    order_lines.requested_date,
    batches.started_at_utc as batch_started_at_utc,
    batches.ended_at_utc as batch_ended_at_utc,
    cast(chains.shipped_at_utc as {{ type_instant() }}) as shipped_at_utc,
    case
        when chains.shipped_at_utc is not null then 'shipped'
        when chains.shipment_id is not null then 'picked'
        when order_lines.is_cancelled then 'cancelled'
        when batches.ended_at_utc is not null then 'produced'
        when chains.batch_id is not null then 'in_production'
        else 'ordered'
    end as stage_code
from chains
inner join order_lines
    on chains.sales_order_id = order_lines.sales_order_id and chains.line_number = order_lines.line_number
left join batches on chains.batch_id = batches.batch_id
