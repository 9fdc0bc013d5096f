{{ config(
    materialized='incremental', incremental_strategy='delete+insert', unique_key='plant_date', on_schema_change='fail'
) }}

with

arrivals as (

    select * from {{ ref('stg_collector__tag_arrivals') }}
    where {{ touched('plant_date', ref('stg_collector__arrivals')) }}

)

select
    -- ids
    system_id,
    tag_id,
    plant_date,

    -- what was received
    received_count,
    good_count,
    first_source_at_utc,
    last_source_at_utc,
    last_arrived_at_utc,

    -- bookkeeping
    _source_ingested_at_utc,
    {{ built_at_utc() }} as _built_at_utc
from arrivals
