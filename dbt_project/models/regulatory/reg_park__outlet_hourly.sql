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

    select * from {{ ref('dim_outlet_limit') }}
    where averaging_code in ('hour', 'day')

),

reported as (

    select
        hours.outlet_id,
        outlets.outlet_name_zh,
        hours.factor_code,
        pollutants.factor_name_zh,
        pollutants.factor_type = 'concentration' as is_concentration,
        hours.period_start_utc,
        hours.plant_date,
        hours.unit,
        hours.avg_value,
        hours.converted_avg_value,
        {{ amount_kg('hours.cou_value', 'hours.amount_unit') }} as emission_kg,
        hours.data_flag,
        hours.is_valid,
        {{ lacks_conversion('hours', 'outlets', 'pollutants') }} as lacks_conversion,
        hours._built_at_utc
    from hours
    inner join outlets on hours.outlet_id = outlets.outlet_id
    inner join pollutants on hours.factor_code = pollutants.factor_code

),

-- A limit judged by the day is shown beside the hour, which it does not judge; nor is a value judged that is not valid.
beside_limits as (

    select
        reported.*,
        limits.averaging_code,
        limits.limit_low,
        limits.limit_value,
        limits.limit_basis_code,
        limits.standard_no,
        limits.standard_name_zh,
        case
            when limits.averaging_code = 'hour' and reported.is_valid
                then
                    {{ judged_value(
                        'limits.limit_basis_code', 'reported.avg_value', 'reported.converted_avg_value',
                        'reported.emission_kg', '3600'
                    ) }}
        end as judged_value
    from reported
    left join limits
        on
            reported.outlet_id = limits.outlet_id
            and reported.factor_code = limits.factor_code
            and reported.plant_date >= limits.valid_from_date
            and reported.plant_date < limits.valid_to_date

),

judged as (

    select
        *,
        {{ is_beyond_limit('judged_value', 'limit_low', 'limit_value') }} as is_exceeded
    from beside_limits

),

-- Of several limits of a factor the one that is exceeded is told.
ranked as (

    select
        *,
        row_number() over (
            partition by outlet_id, factor_code, period_start_utc
            order by
                averaging_code desc nulls last,
                case when is_exceeded then 0 else 1 end asc,
                limit_basis_code asc
        ) as limit_rank
    from judged

)

select
    -- ids
    outlet_id,
    outlet_name_zh,
    factor_code,
    factor_name_zh,
    period_start_utc,
    plant_date,

    -- values
    unit,
    avg_value,
    case when is_concentration then converted_avg_value end as converted_avg_value,
    case when is_concentration then emission_kg end as emission_kg,
    case when is_valid and lacks_conversion then 'D' else data_flag end as data_flag,

    -- limit
    limit_value,
    limit_basis_code as limit_basis,
    standard_no,
    standard_name_zh,
    is_exceeded,

    -- bookkeeping
    _built_at_utc as _source_ingested_at_utc,
    {{ built_at_utc() }} as _built_at_utc
from ranked
where limit_rank = 1
