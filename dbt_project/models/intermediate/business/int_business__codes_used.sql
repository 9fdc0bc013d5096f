{%- set tables = coded_columns() -%}

with

code_mappings as (

    select * from {{ ref('stg_site_register__code_mappings') }}

),

kilograms as (

    select * from {{ ref('unit_conversions') }}
    where to_unit = 'kg'

),

{% for one in tables %}
{%- set source_name = 'raw_' ~ one.system_id ~ '__' ~ one.table -%}
{%- set beside = [one.quantity, one.unit, one.amount, one.currency] | reject('none') | list -%}
{%- set columns = ((one.codes | map('first') | list) + beside) | unique | list -%}
{{ one.system_id }}__{{ one.table }} as (

    {% if one.is_stream %}
    select
        {{ columns | join(', ') }},
        _ingested_at_utc as _first_extracted_at_utc,
        _ingested_at_utc as _extracted_at_utc
    from {{ source(one.system_id, source_name) }}
    {% else %}
    {{ current_rows(source(one.system_id, source_name), columns) }}
    {% endif %}

),

{% endfor %}
used as (

    {% for one in tables %}
    {% set outer_last = loop.last %}
    {% for column, code_type in one.codes %}
    select
        '{{ one.system_id }}' as system_id,
        '{{ one.table }}' as table_name,
        '{{ column }}' as column_name,
        '{{ code_type }}' as code_type,
        trim({{ one.system_id }}__{{ one.table }}.{{ column }}) as source_code,
        codes.standard_code,
        {{ amounts_beside(one) }},
        {{ plant_date(one.system_id ~ '__' ~ one.table ~ '._extracted_at_utc') }} as used_date,
        {{ one.system_id }}__{{ one.table }}._first_extracted_at_utc as seen_at_utc
    from {{ one.system_id }}__{{ one.table }}
    left join code_mappings as codes
        on
            {{ is_mapping_of('codes', one.system_id, code_type, one.system_id ~ '__' ~ one.table, column) }}
    {% if one.unit %}
    left join code_mappings as units
        on
            {{ is_mapping_of('units', one.system_id, 'unit', one.system_id ~ '__' ~ one.table, one.unit) }}
    left join kilograms on units.standard_code = kilograms.from_unit
    {% endif %}
    where trim({{ one.system_id }}__{{ one.table }}.{{ column }}) <> ''
    {% if not (loop.last and outer_last) %}union all{% endif %}
    {% endfor %}
    {% endfor %}

)

select
    system_id,
    table_name,
    column_name,
    code_type,
    source_code,
    used_date,
    standard_code,
    count(*) as row_count,
    {{ exact_sum('quantity_kg') }} as quantity_kg,
    {{ exact_sum('amount_cny') }} as amount_cny,
    case when code_type = 'unit' then {{ exact_sum('quantity') }} end as quantity_in_unit,
    min(seen_at_utc) as first_seen_at_utc
from used
group by system_id, table_name, column_name, code_type, source_code, used_date, standard_code
