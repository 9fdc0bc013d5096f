with

minutes as (

    select * from {{ ref('fct_monitoring_minute') }}

),

factors as (

    select * from {{ ref('hj212_factors') }}

),

periods as (

    {{ air_period_of_minutes('minutes', 60, var('air_hour_min_minutes')) }}

),

flows as (

    select
        outlet_id,
        period_start_utc,
        avg_value as flow_m3_s
    from periods
    where factor_code = 'a00000' and normal_count >= {{ var('air_hour_min_minutes') }}

)

select
    periods.outlet_id,
    periods.factor_code,
    periods.period_start_utc,
    periods.plant_date,
    periods.value_count,
    periods.normal_count,
    periods.min_value,
    periods.avg_value,
    periods.max_value,
    periods.converted_min_value,
    periods.converted_avg_value,
    periods.converted_max_value,
    periods.normal_count >= {{ var('air_hour_min_minutes') }} as is_valid,
    case when periods.normal_count >= {{ var('air_hour_min_minutes') }} then 'N' else 'D' end as data_flag,
    case
        when periods.normal_count < {{ var('air_hour_min_minutes') }} then null
        when factors.kind = 'flow' then periods.avg_value * 60 * 60.0
        when factors.kind = 'concentration'
            then periods.avg_value * flows.flow_m3_s * 60 * 60.0 * factors.amount_per_m3
    end as cou_value,
    periods._source_ingested_at_utc
from periods
inner join factors on periods.factor_code = factors.factor_code
left join flows
    on periods.outlet_id = flows.outlet_id and periods.period_start_utc = flows.period_start_utc
