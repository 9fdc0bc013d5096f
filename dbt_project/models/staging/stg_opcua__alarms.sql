{%- set systems = alarm_systems() -%}

with

events as (

    {% for system_id in systems %}
    select
        '{{ system_id }}' as system_id,
        event_id,
        condition_id,
        coalesce(branch_id, '') as branch_id,
        event_at_utc,
        event_at_100ns,
        condition_name,
        event_type,
        source_name,
        tag_id,
        severity,
        message,
        is_active,
        is_acknowledged,
        is_confirmed,
        is_retained,
        is_suppressed,
        is_out_of_service,
        shelving_state,
        limit_state,
        active_changed_at_utc,
        comment,
        client_user_id,
        coalesce(told_by, 'notification') as told_by,
        arrived_at_utc,
        _ingested_at_utc,
        _sequence
    from {{ source(system_id, 'raw_' ~ system_id ~ '__alarms') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

-- A collector that lost its marks reads history again.
ranked as (

    select
        *,
        row_number() over (
            partition by system_id, event_id, condition_id, branch_id, event_at_utc, event_at_100ns
            order by _ingested_at_utc asc, _sequence asc
        ) as arrival_rank
    from events

)

select
    system_id,
    event_id,
    condition_id,
    branch_id,
    event_at_utc,
    event_at_100ns,
    condition_name,
    event_type,
    source_name,
    tag_id,
    severity,
    message,
    is_active,
    is_acknowledged,
    is_confirmed,
    is_retained,
    is_suppressed,
    is_out_of_service,
    shelving_state,
    limit_state,
    active_changed_at_utc,
    comment,
    client_user_id,
    told_by,
    arrived_at_utc
from ranked
where arrival_rank = 1
