{#
    What the province is told of periods that are over: HJ 212 CN 2051, 2061 and 2031 differ in the period alone.
    One row: one outlet, factor and period.
#}
{% macro province_hj212_periods(periods) %}
with

periods as (

    select * from {{ periods }}
    where is_complete and {{ touched('plant_date', periods, 'plant_date', '_built_at_utc') }}

),

outlets as (

    select * from {{ ref('dim_outlet') }}

),

pollutants as (

    select * from {{ ref('dim_pollutant') }}
    where factor_type <> 'ambient'

),

reported as (

    select
        periods.*,
        outlets.mn,
        outlets.st_code,
        pollutants.factor_type = 'concentration' as is_concentration,
        {{ lacks_conversion('periods', 'outlets', 'pollutants') }} as lacks_conversion
    from periods
    inner join outlets on periods.outlet_id = outlets.outlet_id
    inner join pollutants on periods.factor_code = pollutants.factor_code

)

select
    -- ids
    outlet_id,
    mn,
    st_code,
    factor_code,
    period_start_utc,
    plant_date,

    -- values
    unit,
    cou_value,
    min_value,
    avg_value,
    max_value,
    case when is_concentration then converted_min_value end as converted_min_value,
    case when is_concentration then converted_avg_value end as converted_avg_value,
    case when is_concentration then converted_max_value end as converted_max_value,

    -- quality
    case when is_valid and lacks_conversion then 'D' else data_flag end as data_flag,
    is_valid and not lacks_conversion as is_valid,

    -- bookkeeping
    _built_at_utc as _source_ingested_at_utc,
    {{ built_at_utc() }} as _built_at_utc
from reported
{% endmacro %}

{# Where the standard judges the converted value, one that could not be converted is not reported as valid. #}
{% macro lacks_conversion(periods, outlets, pollutants) -%}
    (
        {{ pollutants }}.factor_type = 'concentration'
        and {{ outlets }}.reference_o2_pct is not null
        and {{ periods }}.converted_avg_value is null
    )
{%- endmacro %}
