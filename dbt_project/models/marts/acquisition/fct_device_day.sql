{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='plant_date', on_schema_change='fail'
) }}

with

tag_days as (

    select * from {{ ref('fct_tag_day') }}
    where {{ touched('plant_date', ref('fct_tag_day')) }}

),

days as (

    select
        plant_date,
        max(_source_ingested_at_utc) as _source_ingested_at_utc
    from tag_days
    group by plant_date

),

system_days as (

    select
        system_id,
        plant_date,
        cast(sum(received_count) as integer) as received_count,
        max(last_source_at_utc) as last_source_at_utc
    from tag_days
    group by system_id, plant_date

),

known_tags as (

    select distinct
        system_id,
        tag_id
    from {{ ref('stg_opcua__tags') }}

),

devices as (

    select * from {{ ref('stg_site_register__devices') }}

),

segments as (

    select * from {{ ref('stg_site_register__network_segments') }}

),

-- A device is shown alive by its tag, or, where it names only a system, by any tag of that.
joined as (

    select
        devices.device_id,
        days.plant_date,
        devices.device_class_code,
        devices.area_id,
        devices.segment_id,
        segments.technology_code,
        devices.system_id,
        devices.tag_id,
        case
            when devices.tag_id is not null and known_tags.tag_id is null then 'unknown_tag'
            when devices.tag_id is not null then 'tag'
            when devices.system_id is not null then 'system'
            when devices.no_path_reason_zh is not null then 'excused'
            else 'none'
        end as path_code,
        case when devices.tag_id is null then system_days.received_count else tag_days.received_count end
            as received_count,
        case when devices.tag_id is null then system_days.last_source_at_utc else tag_days.last_source_at_utc end
            as last_source_at_utc,
        days._source_ingested_at_utc
    from days
    inner join devices
        on days.plant_date >= devices.valid_from_date and days.plant_date < devices.valid_to_date
    left join segments
        on
            devices.segment_id = segments.segment_id
            and days.plant_date >= segments.valid_from_date
            and days.plant_date < segments.valid_to_date
    left join known_tags on devices.system_id = known_tags.system_id and devices.tag_id = known_tags.tag_id
    left join tag_days
        on
            devices.system_id = tag_days.system_id
            and devices.tag_id = tag_days.tag_id
            and days.plant_date = tag_days.plant_date
    left join system_days
        on devices.system_id = system_days.system_id and days.plant_date = system_days.plant_date

)

select
    -- ids
    device_id,
    plant_date,
    device_class_code,
    area_id,
    segment_id,
    technology_code,

    -- path
    system_id,
    tag_id,
    path_code,

    -- what was received
    coalesce(received_count, 0) > 0 as is_live,
    coalesce(received_count, 0) as received_count,
    last_source_at_utc,

    -- bookkeeping
    _source_ingested_at_utc,
    {{ built_at_utc() }} as _built_at_utc
from joined
