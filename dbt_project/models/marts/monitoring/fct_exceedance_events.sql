with

judged_periods as (

    select * from {{ ref('int_monitoring__judged_periods') }}

),

exceeding as (

    select
        *,
        lag(period_start_utc) over (
            partition by outlet_id, factor_code, averaging_code, limit_basis_code, valid_from_date
            order by period_start_utc
        ) as previous_start_utc
    from judged_periods
    where is_exceeded

),

-- An event is a run of exceeding periods without a gap; a period that is within the limit or not valid ends it.
numbered as (

    select
        *,
        sum(
            case
                when {{ seconds_between('previous_start_utc', 'period_start_utc') }} = period_s then 0
                else 1
            end
        ) over (
            partition by outlet_id, factor_code, averaging_code, limit_basis_code, valid_from_date
            order by period_start_utc
            rows between unbounded preceding and current row
        ) as event_number
    from exceeding

),

-- Of the mass emitted while over the limit, the part that lies above it.
events as (

    select
        outlet_id,
        factor_code,
        averaging_code,
        limit_basis_code,
        limit_low,
        limit_value,
        unit_code,
        standard_no,
        standard_name_zh,
        standard_name_en,
        valid_from_date,
        event_number,
        min(period_start_utc) as started_at_utc,
        max(period_start_utc) as last_period_start_utc,
        min(plant_date) as event_date,
        max(period_s) as period_s,
        count(*) as period_count,
        max(judged_value) as peak_value,
        min(judged_value) as lowest_value,
        {{ exact_mean('judged_value') }} as mean_value,
        {{ exact_sum('cou_value') }} as emission_total,
        {{ exact_sum(
            'case when judged_value > limit_value then cou_value * (judged_value - limit_value) / judged_value end'
        ) }} as emission_over_limit
    from numbered
    group by
        outlet_id,
        factor_code,
        averaging_code,
        limit_basis_code,
        limit_low,
        limit_value,
        unit_code,
        standard_no,
        standard_name_zh,
        standard_name_en,
        valid_from_date,
        event_number

),

factors as (

    select * from {{ ref('hj212_factors') }}

)

select
    -- ids
    events.outlet_id || '/' || events.factor_code || '/' || events.averaging_code || '/'
    || events.limit_basis_code || '/' || cast(events.started_at_utc as varchar) as exceedance_event_id,
    events.outlet_id,
    events.factor_code,
    factors.name_zh as factor_name_zh,
    factors.name_en as factor_name_en,
    events.event_date,

    -- what was judged, by what
    events.averaging_code,
    events.limit_basis_code,
    events.limit_low,
    events.limit_value,
    events.unit_code,
    events.standard_no,
    events.standard_name_zh,
    events.standard_name_en,

    -- when and how much
    events.started_at_utc,
    case events.averaging_code
        when 'hour' then {{ add_seconds('events.last_period_start_utc', 3600) }}
        else {{ add_seconds('events.last_period_start_utc', 86400) }}
    end as ended_at_utc,
    cast(events.period_count as integer) as period_count,
    cast(events.period_count * events.period_s / 3600.0 as double) as duration_h,
    events.peak_value,
    events.lowest_value,
    events.mean_value,
    events.emission_total,
    events.emission_over_limit,
    factors.amount_unit
from events
inner join factors on events.factor_code = factors.factor_code
