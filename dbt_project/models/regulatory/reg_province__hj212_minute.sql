with

periods as (

    select * from {{ ref('fct_monitoring_ten_minute') }}
    where is_complete and {{ touched('plant_date', ref('fct_monitoring_ten_minute'), 'plant_date', '_built_at_utc') }}

),

outlets as (

    select * from {{ ref('dim_outlet') }}

),

pollutants as (

    select * from {{ ref('dim_pollutant') }}
    where factor_type <> 'ambient'

)

select
    -- ids
    periods.outlet_id,
    outlets.mn,
    outlets.st_code,
    periods.factor_code,
    periods.period_start_utc,
    periods.plant_date,

    -- values
    periods.unit,
    periods.cou_value,
    periods.min_value,
    periods.avg_value,
    periods.max_value,
    case when pollutants.factor_type = 'concentration' then periods.converted_min_value end as converted_min_value,
    case when pollutants.factor_type = 'concentration' then periods.converted_avg_value end as converted_avg_value,
    case when pollutants.factor_type = 'concentration' then periods.converted_max_value end as converted_max_value,

    -- quality
    periods.data_flag,
    periods.is_valid,

    -- bookkeeping
    periods._built_at_utc as _source_ingested_at_utc,
    {{ built_at_utc() }} as _built_at_utc
from periods
inner join outlets on periods.outlet_id = outlets.outlet_id
inner join pollutants on periods.factor_code = pollutants.factor_code
