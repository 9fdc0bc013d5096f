with

environment_tags as (

    select * from {{ source('opcua_environment', 'raw_opcua_environment__tags') }}

),

production_tags as (

    select * from {{ source('opcua_production', 'raw_opcua_production__tags') }}

),

tags as (

    select
        'opcua_environment' as system_id,
        environment_tags.*
    from environment_tags
    union all
    select
        'opcua_production' as system_id,
        production_tags.*
    from production_tags

),

ranked as (

    select
        system_id,
        tag_id,
        label_zh,
        label_en,
        unit,
        unit_on_server,
        range_low,
        range_high,
        area,
        equipment_id,
        observed_at_utc,
        row_number() over (
            partition by system_id, tag_id, observed_at_utc
            order by _ingested_at_utc desc, _sequence desc
        ) as arrival_rank
    from tags

)

select
    system_id,
    tag_id,
    label_zh,
    label_en,
    unit,
    unit_on_server,
    range_low,
    range_high,
    area,
    equipment_id,
    observed_at_utc
from ranked
where arrival_rank = 1
