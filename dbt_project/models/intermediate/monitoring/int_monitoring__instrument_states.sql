{{ config(materialized='table') }}

with

points as (

    select * from {{ ref('stg_opcua_environment__points') }}

),

outlet_points as (

    select * from {{ ref('stg_site_register__outlet_points') }}
    where factor_code = 'i12001'

),

-- A state whose own status is not Good is not known, nor is one that is no number of the list.
reported as (

    select
        outlet_points.outlet_id,
        points.source_at_utc,
        points.source_at_100ns,
        case
            when
                {{ status_severity('points.status_code') }} = 0
                and {{ is_number('points.value_number') }}
                and points.value_number between 0 and 99
                then cast(floor(points.value_number) as integer)
        end as state_code
    from points
    inner join outlet_points
        on
            points.tag_id = outlet_points.tag_id
            and points.plant_date >= outlet_points.valid_from_date
            and points.plant_date < outlet_points.valid_to_date

),

followed as (

    select
        *,
        {{ add_seconds('source_at_utc', var('state_max_age_s')) }} as stale_at_utc,
        lead(source_at_utc) over (
            partition by outlet_id order by source_at_utc, source_at_100ns
        ) as next_report_at_utc
    from reported

),

-- A state is told at least once a minute: after a long silence it is not known any more.
reports as (

    select
        outlet_id,
        source_at_utc,
        source_at_100ns,
        state_code
    from reported
    union all
    select
        outlet_id,
        stale_at_utc as source_at_utc,
        source_at_100ns,
        null as state_code
    from followed
    where next_report_at_utc is null or next_report_at_utc > stale_at_utc

),

compared as (

    select
        *,
        row_number() over (
            partition by outlet_id order by source_at_utc, source_at_100ns
        ) as report_number,
        lag(state_code) over (
            partition by outlet_id order by source_at_utc, source_at_100ns
        ) as previous_state_code
    from reports

),

changes as (

    select *
    from compared
    where report_number = 1 or state_code is distinct from previous_state_code

),

intervals as (

    select
        outlet_id,
        state_code,
        -- The first report speaks for the minute before it.
        case
            when report_number = 1 then {{ add_seconds('source_at_utc', -60) }}
            else source_at_utc
        end as valid_from_utc,
        lead(source_at_utc, 1, cast('9999-01-01 00:00:00+00:00' as {{ type_instant() }})) over (
            partition by outlet_id order by source_at_utc, source_at_100ns
        ) as valid_to_utc
    from changes

),

calendar as (

    select distinct plant_date from points

)

-- Cut at the plant's midnights, so that samples find their state by outlet and day.
select
    intervals.outlet_id,
    calendar.plant_date,
    intervals.state_code,
    intervals.valid_from_utc,
    intervals.valid_to_utc
from intervals
inner join calendar
    on
        {{ plant_date('intervals.valid_from_utc') }} <= calendar.plant_date
        and {{ day_start_utc('calendar.plant_date') }} < intervals.valid_to_utc
