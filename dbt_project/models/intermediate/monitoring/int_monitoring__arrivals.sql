{{ config(materialized='table') }}

with

samples as (

    select * from {{ ref('int_monitoring__samples_marked') }}

)

select
    plant_date,
    max(source_at_utc) as last_source_at_utc,
    max(_source_ingested_at_utc) as _source_ingested_at_utc
from samples
group by plant_date
