with

movements as (

    select * from {{ ref('stg_wms_main__stock_movements') }}

),

-- The quantity is always positive in the WMS and the type gives its direction; a type that is not known moves nothing.
own_side as (

    select
        movement_id,
        lot_id,
        'own' as side_code,
        destination_lot_id as other_lot_id,
        movement_type_code,
        material_id,
        material_code,
        case
            when movement_type_code in ('101', '131') then quantity_kg
            when movement_type_code in ('261', '309', '601') then -quantity_kg
        end as change_kg,
        reference_id,
        posted_at_utc
    from movements

),

destination_side as (

    select
        movement_id,
        destination_lot_id as lot_id,
        'destination' as side_code,
        lot_id as other_lot_id,
        movement_type_code,
        material_id,
        material_code,
        quantity_kg as change_kg,
        reference_id,
        posted_at_utc
    from movements
    where movement_type_code = '309' and destination_lot_id is not null

),

sides as (

    select * from own_side
    union all
    select * from destination_side

)

select
    movement_id,
    lot_id,
    side_code,
    other_lot_id,
    movement_type_code,
    material_id,
    material_code,
    change_kg,
    {{ exact_running_sum(
        'change_kg',
        'partition by lot_id order by posted_at_utc, movement_id, side_code'
        ~ ' rows between unbounded preceding and current row'
    ) }} as balance_kg,
    reference_id,
    posted_at_utc
from sides
