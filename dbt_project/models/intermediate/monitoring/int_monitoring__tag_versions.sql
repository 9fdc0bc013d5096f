with

tags as (

    select * from {{ ref('stg_opcua__tags') }}

),

first_observations as (

    select
        system_id,
        tag_id,
        min(observed_at_utc) as observed_at_utc
    from tags
    group by system_id, tag_id

),

-- What was observed first holds for all the time before, but a wrong unit only from when it was seen.
observations as (

    select
        system_id,
        tag_id,
        unit,
        range_low,
        range_high,
        observed_at_utc,
        coalesce(unit <> unit_on_server, false) as is_unit_mismatch
    from tags
    union all
    select
        tags.system_id,
        tags.tag_id,
        tags.unit,
        tags.range_low,
        tags.range_high,
        cast('1970-01-01 00:00:00+00:00' as {{ type_instant() }}) as observed_at_utc,
        false as is_unit_mismatch
    from tags
    inner join first_observations
        on
            tags.system_id = first_observations.system_id
            and tags.tag_id = first_observations.tag_id
            and tags.observed_at_utc = first_observations.observed_at_utc

),

compared as (

    select
        *,
        row_number() over (partition by system_id, tag_id order by observed_at_utc) as observation_number,
        lag(unit) over (partition by system_id, tag_id order by observed_at_utc) as previous_unit,
        lag(range_low) over (partition by system_id, tag_id order by observed_at_utc) as previous_range_low,
        lag(range_high) over (partition by system_id, tag_id order by observed_at_utc) as previous_range_high,
        lag(is_unit_mismatch) over (
            partition by system_id, tag_id order by observed_at_utc
        ) as was_unit_mismatch
    from observations

),

changes as (

    select *
    from compared
    where
        observation_number = 1
        or unit is distinct from previous_unit
        or range_low is distinct from previous_range_low
        or range_high is distinct from previous_range_high
        or is_unit_mismatch is distinct from was_unit_mismatch

)

select
    system_id,
    tag_id,
    unit,
    range_low,
    range_high,
    is_unit_mismatch,
    observed_at_utc as valid_from_utc,
    lead(observed_at_utc, 1, cast('9999-01-01 00:00:00+00:00' as {{ type_instant() }})) over (
        partition by system_id, tag_id order by observed_at_utc
    ) as valid_to_utc
from changes
