with

doses as (

    select * from {{ ref('stg_mes_main__dosing_records') }}

)

select
    dosing_id,
    batch_id,
    lot_id,
    material_id,
    material_code,
    dosing_mode_code,
    scale_id,
    operator_code,
    dosed_at_utc,
    target_quantity_kg,
    actual_quantity_kg,
    100.0 * (actual_quantity_kg - target_quantity_kg) / nullif(target_quantity_kg, 0) as deviation_pct,
    tolerance_pct,
    case
        when target_quantity_kg is null or actual_quantity_kg is null or target_quantity_kg = 0 then 'not_comparable'
        when abs(100.0 * (actual_quantity_kg - target_quantity_kg) / target_quantity_kg) > tolerance_pct
            then 'out_of_tolerance'
        else 'in_tolerance'
    end as accuracy_code
from doses
