with

codes_used as (

    select * from {{ ref('int_business__codes_used') }}

)

select
    system_id,
    code_type,
    source_code,
    cast(sum(row_count) as integer) as row_count,
    cast(count(distinct table_name) as integer) as table_count,
    min(table_name) as first_table_name,
    {{ exact_sum('quantity_kg') }} as quantity_kg,
    {{ exact_sum('amount_cny') }} as amount_cny,
    {{ exact_sum('quantity_in_unit') }} as quantity_in_unit,
    min(first_seen_at_utc) as first_seen_at_utc
from codes_used
where standard_code is null
group by system_id, code_type, source_code
