with

hours as (

    select * from {{ ref('fct_monitoring_hour') }}

),

days as (

    select * from {{ ref('fct_monitoring_day') }}

),

limits as (

    select * from {{ ref('dim_outlet_limit') }}

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
        {{ amount_kg('cou_value', 'amount_unit') }} as emission_kg,
        is_valid and is_complete as is_judged
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
        {{ amount_kg('cou_value', 'amount_unit') }} as emission_kg,
        is_valid and is_complete as is_judged
    from days

),

-- A period is judged by the limit of its day, once it is over and if it is valid: the mean of a day so far is no day's.
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
        {{ judged_value(
            'limits.limit_basis_code', 'periods.avg_value', 'periods.converted_avg_value',
            'periods.emission_kg', 'periods.period_s'
        ) }} as judged_value
    from periods
    inner join limits
        on
            periods.outlet_id = limits.outlet_id
            and periods.factor_code = limits.factor_code
            and periods.averaging_code = limits.averaging_code
            and periods.plant_date >= limits.valid_from_date
            and periods.plant_date < limits.valid_to_date
    where periods.is_judged

)

select
    *,
    coalesce({{ is_beyond_limit('judged_value', 'limit_low', 'limit_value') }}, false) as is_exceeded
from judged
