with

hours as (

    select * from {{ ref('fct_monitoring_hour') }}
    where is_complete and {{ touched('plant_date', ref('fct_monitoring_hour'), 'plant_date', '_built_at_utc') }}

),

outlets as (

    select * from {{ ref('dim_outlet') }}

),

pollutants as (

    select * from {{ ref('dim_pollutant') }}
    where factor_type in ('concentration', 'ph', 'flow')

),

limits as (

    select * from {{ ref('stg_site_register__outlet_limits') }}
    where averaging_code in ('hour', 'day')

),

-- A limit judged by the day is shown beside the hour, which it does not judge.
ranked_limits as (

    select
        hours.outlet_id,
        hours.factor_code,
        hours.period_start_utc,
        limits.averaging_code,
        limits.limit_low,
        limits.limit_value,
        limits.limit_basis_code,
        limits.standard_no,
        limits.standard_name_zh,
        row_number() over (
            partition by hours.outlet_id, hours.factor_code, hours.period_start_utc
            order by limits.averaging_code desc, limits.limit_basis_code asc
        ) as limit_rank
    from hours
    inner join limits
        on
            hours.outlet_id = limits.outlet_id
            and hours.factor_code = limits.factor_code
            and hours.plant_date >= limits.valid_from_date
            and hours.plant_date < limits.valid_to_date

),

hour_limits as (

    select * from ranked_limits
    where limit_rank = 1

),

judged as (

    select
        hours.*,
        hour_limits.averaging_code as limit_averaging_code,
        hour_limits.limit_low,
        hour_limits.limit_value,
        hour_limits.limit_basis_code,
        hour_limits.standard_no,
        hour_limits.standard_name_zh,
        case hour_limits.limit_basis_code
            when 'measured' then hours.avg_value
            when 'converted' then hours.converted_avg_value
            when 'rate' then hours.cou_value
        end as judged_value
    from hours
    left join hour_limits
        on
            hours.outlet_id = hour_limits.outlet_id
            and hours.factor_code = hour_limits.factor_code
            and hours.period_start_utc = hour_limits.period_start_utc

)

select
    -- ids
    judged.outlet_id,
    outlets.outlet_name_zh,
    judged.factor_code,
    pollutants.factor_name_zh,
    judged.period_start_utc,
    judged.plant_date,

    -- values
    judged.unit,
    judged.avg_value,
    case when pollutants.factor_type = 'concentration' then judged.converted_avg_value end as converted_avg_value,
    case
        when pollutants.factor_type <> 'concentration' then null
        when judged.amount_unit = 'g' then judged.cou_value / 1000.0
        when judged.amount_unit = 'mg' then judged.cou_value / 1000000.0
        else judged.cou_value
    end as emission_kg,
    judged.data_flag,

    -- limit
    judged.limit_value,
    judged.limit_basis_code as limit_basis,
    judged.standard_no,
    judged.standard_name_zh,
    -- Null where nothing was judged: the value is not valid, or its limit judges the day.
    case
        when judged.is_valid and judged.limit_averaging_code = 'hour'
            then
                judged.judged_value > judged.limit_value
                or coalesce(judged.judged_value < judged.limit_low, false)
    end as is_exceeded,

    -- bookkeeping
    judged._built_at_utc as _source_ingested_at_utc,
    {{ built_at_utc() }} as _built_at_utc
from judged
inner join outlets on judged.outlet_id = outlets.outlet_id
inner join pollutants on judged.factor_code = pollutants.factor_code
