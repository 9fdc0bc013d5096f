with

lab_results as (

    select * from {{ ref('stg_lab_manual__water_results') }}

),

online as (

    select * from {{ ref('fct_monitoring_ten_minute') }}
    where medium = 'water'

),

-- A bottle is filled during the ten minutes before the time written on it.
sampled as (

    select
        *,
        {{ floor_to_minutes(add_seconds('sampled_at_utc', -600), 10) }} as online_period_start_utc
    from lab_results

)

select
    -- ids
    sampled.sample_id,
    sampled.factor_code,
    sampled.outlet_id,
    sampled.sampled_at_utc,

    -- laboratory
    sampled.result_value as lab_value,
    sampled.unit_code,
    sampled.is_below_detection,
    sampled.method_no as lab_value_method_no,
    sampled.word_count > 1 as is_corrected,
    sampled.correction_reason,

    -- online
    sampled.online_period_start_utc,
    online.avg_value as online_avg_value,
    online.data_flag as online_data_flag,
    coalesce(online.is_valid, false) as is_online_valid,

    -- comparison
    case
        when online.is_valid and not coalesce(sampled.is_below_detection, false)
            then online.avg_value - sampled.result_value
    end as difference_value,
    case
        when
            online.is_valid
            and not coalesce(sampled.is_below_detection, false)
            and sampled.result_value > 0
            and sampled.factor_code <> 'w01001'
            then (online.avg_value - sampled.result_value) / sampled.result_value * 100.0
    end as relative_difference_pct
from sampled
left join online
    on
        sampled.outlet_id = online.outlet_id
        and sampled.factor_code = online.factor_code
        and sampled.online_period_start_utc = online.period_start_utc
