with

factors as (

    select * from {{ ref('hj212_factors') }}

)

select
    factor_code,
    medium,
    name_zh as factor_name_zh,
    name_en as factor_name_en,
    kind as factor_type,
    unit,
    amount_unit,
    decimals as wire_decimals,
    source_mark
from factors
