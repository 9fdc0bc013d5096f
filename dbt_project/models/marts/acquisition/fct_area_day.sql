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

areas as (

    select * from {{ ref('stg_site_register__areas') }}

),

-- Where a tag was moved, its newest area stands for all its days.
observed_tags as (

    select
        system_id,
        tag_id,
        area,
        row_number() over (partition by system_id, tag_id order by observed_at_utc desc) as newest_rank
    from {{ ref('stg_opcua__tags') }}

),

area_tags as (

    select
        days.plant_date,
        observed_tags.area as area_id,
        count(*) as tag_count,
        count(tag_days.tag_id) as live_tag_count,
        sum(tag_days.received_count) as received_count,
        max(tag_days.last_source_at_utc) as last_source_at_utc
    from days
    inner join observed_tags on observed_tags.newest_rank = 1
    left join tag_days
        on
            observed_tags.system_id = tag_days.system_id
            and observed_tags.tag_id = tag_days.tag_id
            and days.plant_date = tag_days.plant_date
    group by days.plant_date, observed_tags.area

),

area_devices as (

    select
        plant_date,
        area_id,
        count(*) as device_count,
        sum(case when is_live then 1 else 0 end) as live_device_count
    from {{ ref('fct_device_day') }}
    group by plant_date, area_id

)

select
    -- ids
    areas.area_id,
    days.plant_date,
    areas.area_name_zh,
    areas.area_name_en,
    areas.area_type_code,
    areas.is_live_data_needed,

    -- coverage
    cast(coalesce(area_tags.tag_count, 0) as integer) as tag_count,
    cast(coalesce(area_tags.live_tag_count, 0) as integer) as live_tag_count,
    cast(coalesce(area_tags.received_count, 0) as integer) as received_count,
    cast(coalesce(area_devices.device_count, 0) as integer) as device_count,
    cast(coalesce(area_devices.live_device_count, 0) as integer) as live_device_count,
    round(cast(100.0 * area_tags.live_tag_count as double) / area_tags.tag_count, 2) as coverage_pct,
    coalesce(area_tags.live_tag_count, 0) > 0 as has_live_data,
    area_tags.last_source_at_utc,

    -- bookkeeping
    days._source_ingested_at_utc,
    {{ built_at_utc() }} as _built_at_utc
from days
cross join areas
left join area_tags on areas.area_id = area_tags.area_id and days.plant_date = area_tags.plant_date
left join area_devices on areas.area_id = area_devices.area_id and days.plant_date = area_devices.plant_date
