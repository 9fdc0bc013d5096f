with

occurrences as (

    select * from {{ ref('fct_alarm_occurrence') }}
    where branch_id = ''

),

suppressions as (

    select * from {{ ref('fct_alarm_suppression') }}

),

bounds as (

    select
        system_id,
        min(raised_date) as first_date,
        {{ plant_date('max(last_change_at_utc)') }} as last_date
    from occurrences
    group by system_id

),

days as (

    select
        bounds.system_id,
        dates.calendar_date as plant_date,
        dates.day_start_utc,
        {{ day_start_utc(add_days('dates.calendar_date', 1)) }} as day_end_utc
    from bounds
    inner join {{ ref('dim_date') }} as dates
        on bounds.first_date <= dates.calendar_date and bounds.last_date >= dates.calendar_date

),

raised as (

    select
        system_id,
        raised_date,
        count(*) as raised_count,
        sum(case when is_annunciated then 1 else 0 end) as annunciated_count,
        sum(case when raised_severity > 666 then 1 else 0 end) as high_count,
        sum(case when raised_severity > 333 and raised_severity <= 666 then 1 else 0 end) as medium_count,
        sum(case when raised_severity <= 333 then 1 else 0 end) as low_count,
        count(distinct case when is_chattering then condition_id end) as chattering_count,
        {{ exact_mean('acknowledged_after_s') }} as mean_acknowledged_after_s
    from occurrences
    group by system_id, raised_date

),

windows as (

    select
        system_id,
        raised_date,
        {{ floor_to_minutes('raised_at_utc', 10) }} as window_start_utc,
        count(*) as window_count
    from occurrences
    where is_annunciated
    group by system_id, raised_date, {{ floor_to_minutes('raised_at_utc', 10) }}

),

peaks as (

    select
        system_id,
        raised_date,
        max(window_count) as peak_ten_minute_count,
        sum(case when window_count > {{ var('alarm_flood_above_count') }} then 1 else 0 end) as flood_count
    from windows
    group by system_id, raised_date

),

standing as (

    select
        days.system_id,
        days.plant_date,
        count(*) as standing_count,
        sum(
            case
                when {{ seconds_between('occurrences.raised_at_utc', 'days.day_end_utc') }} > {{ var('alarm_stale_s') }}
                    then 1
                else 0
            end
        ) as stale_count
    from days
    inner join occurrences
        on
            days.system_id = occurrences.system_id
            and days.day_end_utc > occurrences.raised_at_utc
            and (occurrences.cleared_at_utc is null or days.day_end_utc <= occurrences.cleared_at_utc)
    group by days.system_id, days.plant_date

),

hidden as (

    select
        days.system_id,
        days.plant_date,
        count(distinct case when suppressions.suppression_code = 'shelved' then suppressions.condition_id end)
            as shelved_count,
        count(distinct case when suppressions.suppression_code = 'suppressed' then suppressions.condition_id end)
            as suppressed_count,
        count(distinct case when suppressions.suppression_code = 'out_of_service' then suppressions.condition_id end)
            as out_of_service_count
    from days
    inner join suppressions
        on
            days.system_id = suppressions.system_id
            and days.day_end_utc > suppressions.from_at_utc
            and (suppressions.until_at_utc is null or days.day_start_utc < suppressions.until_at_utc)
    group by days.system_id, days.plant_date

),

unseen as (

    select
        system_id,
        {{ plant_date('cleared_at_utc') }} as cleared_date,
        count(*) as end_unseen_count
    from occurrences
    where end_known_by_code in ('refresh', 'absence')
    group by system_id, {{ plant_date('cleared_at_utc') }}

)

select
    -- ids
    days.system_id,
    days.plant_date,

    -- rate
    cast(coalesce(raised.raised_count, 0) as integer) as raised_count,
    cast(coalesce(raised.annunciated_count, 0) as integer) as annunciated_count,
    cast(coalesce(raised.high_count, 0) as integer) as raised_high_count,
    cast(coalesce(raised.medium_count, 0) as integer) as raised_medium_count,
    cast(coalesce(raised.low_count, 0) as integer) as raised_low_count,
    cast(coalesce(peaks.peak_ten_minute_count, 0) as integer) as peak_ten_minute_count,
    cast(coalesce(peaks.flood_count, 0) as integer) as flood_ten_minute_count,
    cast(coalesce(raised.chattering_count, 0) as integer) as chattering_count,
    cast(raised.mean_acknowledged_after_s as double) as mean_acknowledged_after_s,

    -- at the end of the day
    cast(coalesce(standing.standing_count, 0) as integer) as standing_count,
    cast(coalesce(standing.stale_count, 0) as integer) as stale_count,

    -- at any time of the day
    cast(coalesce(hidden.shelved_count, 0) as integer) as shelved_count,
    cast(coalesce(hidden.suppressed_count, 0) as integer) as suppressed_count,
    cast(coalesce(hidden.out_of_service_count, 0) as integer) as out_of_service_count,
    cast(coalesce(unseen.end_unseen_count, 0) as integer) as end_unseen_count,

    -- bookkeeping
    {{ built_at_utc() }} as _built_at_utc
from days
left join raised on days.system_id = raised.system_id and days.plant_date = raised.raised_date
left join peaks on days.system_id = peaks.system_id and days.plant_date = peaks.raised_date
left join standing on days.system_id = standing.system_id and days.plant_date = standing.plant_date
left join hidden on days.system_id = hidden.system_id and days.plant_date = hidden.plant_date
left join unseen on days.system_id = unseen.system_id and days.plant_date = unseen.cleared_date
