with

arrivals as (

    select * from {{ ref('int_monitoring__arrivals') }}

)

-- Servers sample at their own moment within the interval: the last value may lie one interval before the end.
select
    coalesce(
        {{ add_seconds('max(last_source_at_utc)', var('sampling_interval_s')) }},
        cast('1970-01-01 00:00:00+00:00' as {{ type_instant() }})
    ) as complete_until_utc
from arrivals
