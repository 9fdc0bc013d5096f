with

points as (

    select * from {{ source('opcua_environment', 'raw_opcua_environment__points') }}

),

-- A point read live and again from history, or in a segment that was sent twice, arrives more than once.
ranked as (

    select
        tag_id,
        source_at_utc,
        source_at_100ns,
        value_number,
        value_text,
        status_code,
        source_date as plant_date,
        -- When the newest row of the day arrived: what is built from the day is as old as that.
        max(_ingested_at_utc) over (partition by source_date) as _source_ingested_at_utc,
        row_number() over (
            partition by source_date, tag_id, source_at_utc, source_at_100ns
            order by _ingested_at_utc desc, _sequence desc
        ) as arrival_rank
    from points

)

select
    tag_id,
    source_at_utc,
    source_at_100ns,
    value_number,
    value_text,
    status_code,
    plant_date,
    _source_ingested_at_utc
from ranked
where arrival_rank = 1
