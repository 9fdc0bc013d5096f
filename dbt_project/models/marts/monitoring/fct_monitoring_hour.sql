{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='plant_date', on_schema_change='fail'
) }}

with

air as (

    select * from {{ ref('int_monitoring__air_hour') }}
    where {{ touched('plant_date', ref('int_monitoring__arrivals'), periods=true) }}

),

water as (

    select * from {{ ref('int_monitoring__water_hour') }}
    where {{ touched('plant_date', ref('int_monitoring__arrivals'), periods=true) }}

),

factors as (

    select * from {{ ref('hj212_factors') }}

),

watermark as (

    select * from {{ ref('int_monitoring__watermark') }}

),

periods as (

    select
        outlet_id,
        factor_code,
        period_start_utc,
        plant_date,
        'air' as medium,
        value_count,
        normal_count,
        60 as expected_count,
        min_value,
        avg_value,
        max_value,
        converted_min_value,
        converted_avg_value,
        converted_max_value,
        cou_value,
        data_flag,
        is_valid,
        'arithmetic' as averaging_code,
        _source_ingested_at_utc
    from air
    union all
    select
        outlet_id,
        factor_code,
        period_start_utc,
        plant_date,
        'water' as medium,
        value_count,
        normal_count,
        6 as expected_count,
        min_value,
        avg_value,
        max_value,
        null as converted_min_value,
        null as converted_avg_value,
        null as converted_max_value,
        cou_value,
        data_flag,
        is_valid,
        case when is_flow_weighted then 'flow_weighted' else 'arithmetic' end as averaging_code,
        _source_ingested_at_utc
    from water

)

select
    -- ids
    periods.outlet_id,
    periods.factor_code,
    periods.period_start_utc,
    periods.plant_date,
    periods.medium,

    -- values
    factors.unit,
    cast(periods.value_count as integer) as value_count,
    cast(periods.normal_count as integer) as normal_count,
    {{ settled('periods.min_value') }} as min_value,
    {{ settled('periods.avg_value') }} as avg_value,
    {{ settled('periods.max_value') }} as max_value,
    {{ settled('periods.converted_min_value') }} as converted_min_value,
    {{ settled('periods.converted_avg_value') }} as converted_avg_value,
    {{ settled('periods.converted_max_value') }} as converted_max_value,
    {{ settled('periods.cou_value') }} as cou_value,
    factors.amount_unit,

    -- quality
    periods.data_flag,
    periods.is_valid,
    {{ add_seconds('periods.period_start_utc', 3600) }} <= watermark.complete_until_utc as is_complete,
    {{ period_quality_code(
        'periods.is_valid', 'periods.value_count', 'periods.normal_count', 'periods.expected_count', 'periods.avg_value'
    ) }} as avg_value_quality_code,
    'calculated' as avg_value_method,
    periods.averaging_code,

    -- bookkeeping
    periods._source_ingested_at_utc,
    {{ built_at_utc() }} as _built_at_utc
from periods
inner join factors on periods.factor_code = factors.factor_code
cross join watermark
