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

),

periods as (

    select
        *,
        {{ day_start_utc('plant_date') }} as period_start_utc,
        {{ day_start_utc(add_days('plant_date', 1)) }} as period_end_utc,
        24 as expected_count,
        'calculated' as avg_value_method
    from days

)

{{ kept_periods(has_averaging=true) }}
