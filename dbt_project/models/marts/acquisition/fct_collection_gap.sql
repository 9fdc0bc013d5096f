with

gaps as (

    select * from {{ ref('stg_collector__gaps') }}

)

select
    -- ids
    system_id,
    coalesce(tag_id, '(all)') as tag_id,
    from_at_utc,
    reason_code,

    -- what is missing
    until_at_utc,
    {{ plant_date('from_at_utc') }} as from_date,
    cast({{ seconds_between('from_at_utc', 'until_at_utc') }} as double) as missing_s,
    is_open,
    detail,
    observed_at_utc
from gaps
where reason_code not in (
    'session_began',
    'session_ended',
    'collector_took_over',
    'certificate_ends',
    'server_clock_jump',
    'collector_clock_jump'
)
