with

current_words as (

    {{ current_rows(source('site_register', 'raw_site_register__outlets'), [
        'outlet_id', 'outlet_name_zh', 'outlet_name_en', 'outlet_type_code', 'mn', 'st_code', 'permit_no', 'treatment_zh', 'treatment_en', 'longitude_deg', 'latitude_deg', 'stack_height_m', 'stack_area_m2', 'velocity_coefficient', 'reference_o2_pct'
    ]) }}

)

select
    outlet_id,
    outlet_name_zh,
    outlet_name_en,
    outlet_type_code,
    case when outlet_type_code = 'gas' then 'air' else 'water' end as medium,
    mn,
    st_code,
    permit_no,
    treatment_zh,
    treatment_en,
    longitude_deg,
    latitude_deg,
    stack_height_m,
    stack_area_m2,
    coalesce(velocity_coefficient, 1.0) as velocity_coefficient,
    reference_o2_pct
from current_words
