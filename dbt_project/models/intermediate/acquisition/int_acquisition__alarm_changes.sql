{%- set of_the_condition -%}
    partition by system_id, condition_id, branch_id
    order by event_at_utc asc, event_at_100ns asc, arrived_at_utc asc, event_id asc
{%- endset -%}

with

-- A condition that has no active state stands while it needs attention.
events as (

    select
        *,
        coalesce(is_active, is_retained, false) as is_standing,
        coalesce(shelving_state in ('TimedShelved', 'OneShotShelved'), false) as is_shelved,
        coalesce(is_retained, is_active or not is_acknowledged or not is_confirmed, false) as is_wanted
    from {{ ref('stg_opcua__alarms') }}
    where condition_id is not null

),

compared as (

    select
        *,
        row_number() over ({{ of_the_condition }}) as change_number,
        lag(is_standing) over ({{ of_the_condition }}) as was_standing,
        lag(is_shelved) over ({{ of_the_condition }}) as was_shelved,
        lag(is_acknowledged) over ({{ of_the_condition }}) as was_acknowledged,
        lag(is_confirmed) over ({{ of_the_condition }}) as was_confirmed,
        lag(event_at_utc) over ({{ of_the_condition }}) as previous_event_at_utc,
        lead(event_at_utc) over ({{ of_the_condition }}) as next_event_at_utc
    from events

),

-- An occurrence begins when the condition becomes active; also with what is first heard of it while it waits for the
-- operator, and with a refresh that tells of an activation after the last one known.
begun as (

    select
        *,
        (is_standing and not coalesce(was_standing, false))
        or (
            is_standing
            and told_by = 'refresh'
            and coalesce(active_changed_at_utc > previous_event_at_utc, false)
        )
        or (change_number = 1 and (is_wanted or branch_id <> '')) as is_raise
    from compared

)

select
    system_id,
    event_id,
    condition_id,
    branch_id,
    sum(case when is_raise then 1 else 0 end) over ({{ of_the_condition }} rows unbounded preceding)
        as occurrence_number,
    change_number,
    event_at_utc,
    -- A refresh tells the present state; the server says since when it holds.
    case
        when told_by = 'refresh' and active_changed_at_utc < event_at_utc then active_changed_at_utc
        else event_at_utc
    end as active_changed_at_utc,
    next_event_at_utc,
    condition_name,
    event_type,
    source_name,
    tag_id,
    severity,
    message,
    limit_state,
    shelving_state,
    is_raise,
    is_standing,
    is_wanted,
    not is_standing and (is_raise or coalesce(was_standing, false)) as is_clear,
    is_acknowledged,
    not is_raise and coalesce(is_acknowledged and not was_acknowledged, false) as is_acknowledgement,
    not is_raise and coalesce(is_confirmed and not was_confirmed, false) as is_confirmation,
    is_shelved,
    is_shelved and not coalesce(was_shelved, false) as is_shelving,
    coalesce(is_suppressed, false) as is_suppressed,
    coalesce(is_out_of_service, false) as is_out_of_service,
    comment,
    client_user_id,
    told_by,
    arrived_at_utc
from begun
