with

batches as (

    select * from {{ ref('stg_mes_main__batches') }}

),

production_orders as (

    select * from {{ ref('stg_mes_main__production_orders') }}

),

charged as (

    select
        batch_id,
        {{ exact_sum('quantity_kg') }} as charged_kg,
        count(distinct lot_id) as charged_lot_count
    from {{ ref('stg_mes_main__batch_materials') }}
    group by batch_id

),

produced as (

    select
        batch_id,
        {{ exact_sum("case when output_type = 'PRODUCT' then quantity_kg end") }} as product_kg,
        {{ exact_sum("case when output_type = 'WASTE' then quantity_kg end") }} as waste_kg
    from {{ ref('stg_mes_main__batch_outputs') }}
    group by batch_id

)

select
    -- ids
    batches.batch_id,
    batches.production_order_id,
    production_orders.sales_order_id,
    production_orders.sales_order_line_number,
    production_orders.material_id,
    batches.equipment_id,

    -- quantities
    production_orders.planned_quantity_kg as planned_kg,
    batches.actual_quantity_kg as actual_kg,
    produced.product_kg,
    produced.waste_kg,
    charged.charged_kg,
    cast(charged.charged_lot_count as integer) as charged_lot_count,

    -- state
    batches.status_code,
    batches.started_at_utc,
    batches.ended_at_utc,
    batches.updated_at_utc
from batches
left join production_orders on batches.production_order_id = production_orders.production_order_id
left join charged on batches.batch_id = charged.batch_id
left join produced on batches.batch_id = produced.batch_id
