with

hours as (

    select * from {{ ref('fct_monitoring_hour') }}

),

days as (

    select * from {{ ref('fct_monitoring_day') }}

),

limits as (

    select * from {{ ref('stg_site_register__outlet_limits') }}

),

periods as (

    select
        'hour' as averaging_code,
        3600 as period_s,
        outlet_id,
        factor_code,
        period_start_utc,
        plant_date,
        avg_value,
        converted_avg_value,
        cou_value,
        is_valid
    from hours
    union all
    select
        'day' as averaging_code,
        86400 as period_s,
        outlet_id,
        factor_code,
        period_start_utc,
        plant_date,
        avg_value,
        converted_avg_value,
        cou_value,
        is_valid
    from days

),

-- A past period is judged by the limit of its day; only a valid period is judged at all.
judged as (

    select
        periods.outlet_id,
        periods.factor_code,
        periods.averaging_code,
        periods.period_s,
        periods.period_start_utc,
        periods.plant_date,
        periods.cou_value,
        limits.limit_low,
        limits.limit_value,
        limits.unit_code,
        limits.limit_basis_code,
        limits.standard_no,
        limits.standard_name_zh,
        limits.standard_name_en,
        limits.valid_from_date,
        case limits.limit_basis_code
            when 'measured' then periods.avg_value
            when 'converted' then periods.converted_avg_value
            when 'rate' then periods.cou_value * 3600.0 / periods.period_s
        end as judged_value
    from periods
    inner join limits
        on
            periods.outlet_id = limits.outlet_id
            and periods.factor_code = limits.factor_code
            and periods.averaging_code = limits.averaging_code
            and periods.plant_date >= limits.valid_from_date
            and periods.plant_date < limits.valid_to_date
    where periods.is_valid

)

select
    *,
    coalesce(judged_value > limit_value or judged_value < limit_low, false) as is_exceeded
from judged
