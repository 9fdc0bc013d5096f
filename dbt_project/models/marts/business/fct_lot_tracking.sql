with

edges as (

    select * from {{ ref('int_production__lot_edges') }}

),

stock as (

    select * from {{ ref('fct_lot_stock') }}

),

outputs as (

    select
        lot_id,
        min(material_id) as material_id,
        max(case when output_type = 'WASTE' then 1 else 0 end) as is_waste
    from {{ ref('stg_mes_main__batch_outputs') }}
    group by lot_id

),

inputs as (

    select
        lot_id,
        min(material_id) as material_id
    from {{ ref('stg_mes_main__batch_materials') }}
    group by lot_id

),

shipped as (

    select
        lot_id,
        count(*) as shipment_line_count,
        {{ exact_sum('quantity_kg') }} as shipped_kg,
        max(shipped_at_utc) as last_shipped_at_utc
    from {{ ref('fct_shipments') }}
    where shipped_at_utc is not null
    group by lot_id

),

lots as (

    select parent_lot_id as lot_id from edges
    union
    select child_lot_id as lot_id from edges
    union
    select lot_id from stock
    union
    select lot_id from outputs
    union
    select lot_id from inputs

),

upstream as (

    select
        child_lot_id as lot_id,
        count(distinct parent_lot_id) as parent_count
    from edges
    group by child_lot_id

),

downstream as (

    select
        parent_lot_id as lot_id,
        count(distinct child_lot_id) as child_count,
        max(case when edge_type = 'batch' then 1 else 0 end) as is_charged
    from edges
    group by parent_lot_id

),

raw_origins as (

    select
        genealogy.descendant_lot_id as lot_id,
        count(*) as raw_lot_count
    from {{ ref('fct_lot_genealogy') }} as genealogy
    left join upstream on genealogy.ancestor_lot_id = upstream.lot_id
    where upstream.lot_id is null
    group by genealogy.descendant_lot_id

)

select
    -- ids
    lots.lot_id,
    coalesce(outputs.material_id, inputs.material_id, stock.material_id) as material_id,
    stock.location_code,

    -- where it stands between purchase and customer
    case
        when outputs.is_waste = 1 then 'waste'
        when upstream.lot_id is null and outputs.lot_id is null then 'raw'
        when downstream.is_charged = 1 then 'in_process'
        else 'finished'
    end as stage_code,
    coalesce(upstream.parent_count, 0) as parent_count,
    coalesce(raw_origins.raw_lot_count, 0) as raw_lot_count,
    coalesce(downstream.child_count, 0) as child_count,

    -- what is left and what has gone out
    stock.on_hand_kg,
    coalesce(shipped.shipped_kg, 0) as shipped_kg,
    coalesce(shipped.shipment_line_count, 0) as shipment_line_count,
    shipped.last_shipped_at_utc,
    stock.last_posted_at_utc
from lots
left join stock on lots.lot_id = stock.lot_id
left join outputs on lots.lot_id = outputs.lot_id
left join inputs on lots.lot_id = inputs.lot_id
left join shipped on lots.lot_id = shipped.lot_id
left join upstream on lots.lot_id = upstream.lot_id
left join downstream on lots.lot_id = downstream.lot_id
left join raw_origins on lots.lot_id = raw_origins.lot_id
