{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='plant_date', on_schema_change='fail'
) }}

with

days as (

    select * from {{ ref('int_monitoring__days') }}
    where {{ touched('plant_date', ref('int_monitoring__arrivals'), periods=true) }}

),

factors as (

    select * from {{ ref('hj212_factors') }}

),

watermark as (

    select * from {{ ref('int_monitoring__watermark') }}

)

select
    -- ids
    days.outlet_id,
    days.factor_code,
    {{ day_start_utc('days.plant_date') }} as period_start_utc,
    days.plant_date,
    days.medium,

    -- values
    factors.unit,
    cast(days.value_count as integer) as value_count,
    cast(days.normal_count as integer) as normal_count,
    {{ settled('days.min_value') }} as min_value,
    {{ settled('days.avg_value') }} as avg_value,
    {{ settled('days.max_value') }} as max_value,
    {{ settled('days.converted_min_value') }} as converted_min_value,
    {{ settled('days.converted_avg_value') }} as converted_avg_value,
    {{ settled('days.converted_max_value') }} as converted_max_value,
    {{ settled('days.cou_value') }} as cou_value,
    factors.amount_unit,

    -- quality
    days.data_flag,
    days.is_valid,
    {{ day_start_utc(add_days('days.plant_date', 1)) }} <= watermark.complete_until_utc as is_complete,
    {{ period_quality_code('days.is_valid', 'days.value_count', 'days.normal_count', '24', 'days.avg_value') }}
        as avg_value_quality_code,
    'calculated' as avg_value_method,
    days.averaging_code,

    -- bookkeeping
    days._source_ingested_at_utc,
    {{ built_at_utc() }} as _built_at_utc
from days
inner join factors on days.factor_code = factors.factor_code
cross join watermark
