with

outlets as (

    select * from {{ ref('stg_site_register__outlets') }}

)

select
    outlet_id,
    outlet_name_zh,
    outlet_name_en,
    outlet_type_code,
    medium,
    mn,
    st_code,
    permit_no,
    treatment_zh,
    treatment_en,
    longitude_deg,
    latitude_deg,
    stack_height_m,
    stack_area_m2,
    velocity_coefficient,
    reference_o2_pct
from outlets
