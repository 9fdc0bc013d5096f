with

lots as (

    select * from {{ ref('fct_lot_stock') }}
    where is_in_wms

)

select
    location_code,
    material_code,
    min(material_id) as material_id,
    count(*) as lot_count,
    {{ exact_sum('on_hand_kg') }} as on_hand_kg,
    coalesce({{ exact_sum("case when status_code = 'R' then on_hand_kg end") }}, 0) as released_kg,
    coalesce({{ exact_sum("case when status_code = 'Q' then on_hand_kg end") }}, 0) as quarantined_kg,
    coalesce({{ exact_sum("case when status_code = 'B' then on_hand_kg end") }}, 0) as blocked_kg,
    cast(sum(case when balance_code = 'differs' then 1 else 0 end) as bigint) as differing_lot_count,
    min(case when on_hand_kg > 0 then expiry_date end) as first_expiry_date
from lots
group by location_code, material_code
