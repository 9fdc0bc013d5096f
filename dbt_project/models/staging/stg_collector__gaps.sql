{%- set systems = stream_systems() -%}

with

told as (

    {% for system_id in systems %}
    select
        '{{ system_id }}' as system_id,
        tag_id,
        from_at_utc,
        until_at_utc,
        reason,
        is_open,
        detail,
        observed_at_utc,
        -- the spare of a pair of collectors seals streams of its own
        case when right(_stream, 6) = '_spare' then 'spare' else 'main' end as collector_role,
        _sequence
    from {{ source(system_id, 'raw_' ~ system_id ~ '__gaps') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

-- A gap that was filled, or grew, is told once more: the last word on it holds.
ranked as (

    select
        *,
        row_number() over (
            partition by system_id, tag_id, from_at_utc, reason
            order by observed_at_utc desc, _sequence desc, until_at_utc desc, is_open asc
        ) as newest_rank
    from told

)

select
    system_id,
    tag_id,
    from_at_utc,
    until_at_utc,
    reason as reason_code,
    is_open,
    detail,
    collector_role,
    observed_at_utc
from ranked
where newest_rank = 1
