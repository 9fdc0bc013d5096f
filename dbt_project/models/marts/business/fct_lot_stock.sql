with

lots as (

    select * from {{ ref('stg_wms_main__lots') }}

),

ledger as (

    select
        lot_id,
        min(material_id) as material_id,
        min(material_code) as material_code,
        count(*) as movement_count,
        sum(case when change_kg is null then 1 else 0 end) as unweighed_count,
        coalesce({{ exact_sum("case when movement_type_code in ('101', '131') then change_kg end") }}, 0)
            as received_kg,
        coalesce({{ exact_sum("case when movement_type_code = '309' then change_kg end") }}, 0) as transferred_kg,
        coalesce({{ exact_sum("case when movement_type_code = '261' then -change_kg end") }}, 0) as consumed_kg,
        coalesce({{ exact_sum("case when movement_type_code = '601' then -change_kg end") }}, 0) as shipped_kg,
        coalesce({{ exact_sum('change_kg') }}, 0) as booked_kg,
        coalesce(min(balance_kg) < -0.001, false) as is_ever_negative,
        max(posted_at_utc) as last_posted_at_utc
    from {{ ref('fct_stock_ledger') }}
    group by lot_id

),

joined as (

    select
        lots.supplier_id,
        lots.supplier_lot_id,
        lots.location_code,
        lots.status_code,
        lots.made_date,
        lots.expiry_date,
        ledger.last_posted_at_utc,
        coalesce(lots.lot_id, ledger.lot_id) as lot_id,
        coalesce(lots.material_id, ledger.material_id) as material_id,
        coalesce(lots.material_code, ledger.material_code) as material_code,
        coalesce(ledger.movement_count, 0) as movement_count,
        coalesce(ledger.unweighed_count, 0) as unweighed_count,
        coalesce(ledger.received_kg, 0) as received_kg,
        coalesce(ledger.transferred_kg, 0) as transferred_kg,
        coalesce(ledger.consumed_kg, 0) as consumed_kg,
        coalesce(ledger.shipped_kg, 0) as shipped_kg,
        coalesce(ledger.booked_kg, 0) as booked_kg,
        coalesce(ledger.is_ever_negative, false) as is_ever_negative,
        -- the WMS deletes a lot that stays empty
        case when lots.lot_id is null then 0 else lots.quantity_on_hand_kg end as on_hand_kg,
        lots.lot_id is not null as is_in_wms
    from lots
    full outer join ledger on lots.lot_id = ledger.lot_id

)

select
    -- ids
    lot_id,
    material_id,
    material_code,
    supplier_id,
    supplier_lot_id,
    location_code,

    -- quantities
    received_kg,
    transferred_kg,
    consumed_kg,
    shipped_kg,
    booked_kg,
    on_hand_kg,
    on_hand_kg - booked_kg as difference_kg,
    movement_count,

    -- state
    case
        when unweighed_count > 0 or on_hand_kg is null then 'not_comparable'
        when abs(on_hand_kg - booked_kg) > 0.001 then 'differs'
        when is_in_wms then 'agrees'
        else 'emptied'
    end as balance_code,
    is_ever_negative,
    is_in_wms,
    status_code,
    made_date,
    expiry_date,
    last_posted_at_utc
from joined
