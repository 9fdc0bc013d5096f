{%- set systems = stream_systems() -%}

-- Two columns of the raw tables are enough to know which days are touched.
select
    plant_date,
    max(_source_ingested_at_utc) as _source_ingested_at_utc
from (
    {% for system_id in systems %}
    select
        source_date as plant_date,
        max(_ingested_at_utc) as _source_ingested_at_utc
    from {{ source(system_id, 'raw_' ~ system_id ~ '__points') }}
    group by source_date
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
) as arrivals
group by plant_date
