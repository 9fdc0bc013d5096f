with

events as (

    select * from {{ source('iot_main', 'raw_iot_main__events') }}

),

-- A broker may deliver an event more than once.
ranked as (

    select
        *,
        row_number() over (
            partition by event_id, source_name, event_at_utc, event_at_100ns
            order by _ingested_at_utc desc, _sequence desc
        ) as arrival_rank
    from events

)

select
    event_id,
    source_name,
    event_type,
    event_at_utc,
    event_at_100ns,
    message,
    link,
    attributes,
    arrived_at_utc
from ranked
where arrival_rank = 1
