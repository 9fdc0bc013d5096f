with

gaps as (

    select * from {{ ref('fct_collection_gap') }}
    where is_open

)

select
    system_id,
    reason_code,
    cast(count(*) as integer) as gap_count,
    cast(count(distinct tag_id) as integer) as tag_count,
    {{ exact_sum('missing_s') }} as missing_s,
    min(from_at_utc) as first_from_at_utc,
    max(until_at_utc) as last_until_at_utc,
    min(tag_id) as first_tag_id
from gaps
group by system_id, reason_code
