{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='plant_date', on_schema_change='fail'
) }}

with

device_days as (

    select * from {{ ref('fct_device_day') }}
    where {{ touched('plant_date', ref('fct_device_day')) }}

),

counted as (

    select
        device_class_code,
        plant_date,
        count(*) as device_count,
        sum(case when path_code = 'excused' then 1 else 0 end) as excused_count,
        sum(case when path_code in ('tag', 'system') then 1 else 0 end) as path_count,
        sum(case when is_live then 1 else 0 end) as live_count,
        max(_source_ingested_at_utc) as _source_ingested_at_utc
    from device_days
    group by device_class_code, plant_date

)

select
    device_class_code,
    plant_date,
    cast(device_count as integer) as device_count,
    cast(excused_count as integer) as excused_count,
    cast(path_count as integer) as path_count,
    cast(live_count as integer) as live_count,
    case
        when device_count > excused_count
            then round(cast(100.0 * live_count as double) / (device_count - excused_count), 2)
    end as coverage_pct,
    _source_ingested_at_utc,
    {{ built_at_utc() }} as _built_at_utc
from counted
