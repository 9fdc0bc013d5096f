{%- set systems = stream_systems() -%}

-- Rows as received: a point that was read live and again from history counts twice, which presence does not mind.
{% for system_id in systems %}
select
    '{{ system_id }}' as system_id,
    tag_id,
    source_date as plant_date,
    cast(count(*) as integer) as received_count,
    cast(sum(case when {{ status_severity('status_code') }} = 0 then 1 else 0 end) as integer) as good_count,
    min(source_at_utc) as first_source_at_utc,
    max(source_at_utc) as last_source_at_utc,
    max(arrived_at_utc) as last_arrived_at_utc,
    max(_ingested_at_utc) as _source_ingested_at_utc
from {{ source(system_id, 'raw_' ~ system_id ~ '__points') }}
group by tag_id, source_date
{% if not loop.last %}union all{% endif %}
{% endfor %}
