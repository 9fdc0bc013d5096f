{%- set coded = [
    ('erp_main', 'materials', ['material']),
    ('erp_main', 'sales_order_lines', ['material', 'unit']),
    ('mes_main', 'production_orders', ['material', 'unit']),
    ('mes_main', 'batches', ['unit']),
    ('mes_main', 'batch_materials', ['material', 'unit']),
    ('mes_main', 'batch_outputs', ['material', 'unit']),
    ('wms_main', 'lots', ['material', 'unit']),
    ('wms_main', 'stock_movements', ['material', 'unit']),
    ('wms_main', 'shipment_lines', ['material', 'unit']),
] -%}

{% for system_id, table, code_types in coded %}
{% for code_type in code_types %}
select
    '{{ system_id }}' as system_id,
    '{{ table }}' as table_name,
    '{{ code_type }}' as code_type,
    {{ code_type }}_code as source_code,
    {{ code_type }}_id as standard_code,
    count(*) as row_count,
    min(_first_extracted_at_utc) as first_seen_at_utc
from {{ ref('stg_' ~ system_id ~ '__' ~ table) }}
where {{ code_type }}_code <> ''
group by {{ code_type }}_code, {{ code_type }}_id
{% if not loop.last %}union all{% endif %}
{% endfor %}
{% if not loop.last %}union all{% endif %}
{% endfor %}
