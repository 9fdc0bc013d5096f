with

codes_used as (

    select * from {{ ref('int_business__codes_used') }}

)

select
    system_id,
    table_name,
    column_name,
    code_type,
    source_code,
    used_date,
    standard_code,
    cast(row_count as integer) as row_count,
    quantity_kg,
    amount_cny
from codes_used
