{%- set systems = stream_systems() -%}

with

tags as (

    {% for system_id in systems %}
    select
        '{{ system_id }}' as system_id,
        tag_id,
        label_zh,
        label_en,
        unit,
        unit_on_server,
        range_low,
        range_high,
        area,
        equipment_id,
        observed_at_utc,
        _ingested_at_utc,
        _sequence
    from {{ source(system_id, 'raw_' ~ system_id ~ '__tags') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

ranked as (

    select
        system_id,
        tag_id,
        label_zh,
        label_en,
        unit,
        unit_on_server,
        range_low,
        range_high,
        area,
        equipment_id,
        observed_at_utc,
        row_number() over (
            partition by system_id, tag_id, observed_at_utc
            order by _ingested_at_utc desc, _sequence desc
        ) as arrival_rank
    from tags

)

select
    system_id,
    tag_id,
    label_zh,
    label_en,
    unit,
    unit_on_server,
    range_low,
    range_high,
    area,
    equipment_id,
    observed_at_utc
from ranked
where arrival_rank = 1
