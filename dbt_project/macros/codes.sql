{# A left join's condition: the mapping of a system's own code in force on the day the row was extracted. #}
{% macro is_mapping_of(mappings, system_id, code_type, rows, code) -%}
    {{ mappings }}.source_system = '{{ system_id }}'
            and {{ mappings }}.code_type = '{{ code_type }}'
            and {{ mappings }}.source_code = trim({{ rows }}.{{ code }})
            and {{ plant_date(rows ~ '._extracted_at_utc') }} >= {{ mappings }}.valid_from_date
            and {{ plant_date(rows ~ '._extracted_at_utc') }} < {{ mappings }}.valid_to_date
{%- endmacro %}

{# ERP writes numbers with leading zeros, MES and WMS without: without is the form that joins. #}
{% macro without_leading_zeros(value) %}regexp_replace(trim({{ value }}), '^0+', ''){% endmacro %}

{# A row's material in the system's own code and in the plant's; the plant's is of `joined_materials`. #}
{% macro material_columns(rows) -%}
    trim({{ rows }}.material_code) as material_code,
    materials.standard_code as material_id
{%- endmacro %}

{% macro joined_materials(rows, system_id, mappings) -%}
left join {{ mappings }} as materials
    on
        {{ is_mapping_of('materials', system_id, 'material', rows, 'material_code') }}
{%- endmacro %}

{# A row's quantity in the unit it came in and in kilograms; the unit's code and factor are of `joined_units`. #}
{% macro quantity_columns(rows, quantity) -%}
    cast({{ rows }}.{{ quantity }} as double) as {{ quantity }},
    trim({{ rows }}.unit_code) as unit_code,
    units.standard_code as unit_id,
    {{ in_kilograms(rows, quantity) }} as {{ quantity }}_kg
{%- endmacro %}

{% macro joined_units(rows, system_id, mappings, unit_conversions) -%}
left join {{ mappings }} as units
    on
        {{ is_mapping_of('units', system_id, 'unit', rows, 'unit_code') }}
left join {{ unit_conversions }} as kilograms
    on units.standard_code = kilograms.from_unit and kilograms.to_unit = 'kg'
{%- endmacro %}

{# Multiplied as decimals, so that 4.35 t are 4350 kg and not a hair less: masses convert by powers of ten. #}
{% macro in_kilograms(rows, quantity) -%}
case
        when units.standard_code = 'kg' then cast({{ rows }}.{{ quantity }} as double)
        else cast(
            cast({{ rows }}.{{ quantity }} as decimal(20, 6)) * cast(kilograms.factor as decimal(16, 9)) as double
        )
    end
{%- endmacro %}

{# What stands at stake in a row of a coded table: mass, money, and the quantity as it was typed. #}
{% macro amounts_beside(table) -%}
    {%- set rows = table.system_id ~ '__' ~ table.table -%}
    {% if table.quantity %}{{ in_kilograms(rows, table.quantity) }}{% else %}cast(null as double){% endif %} as quantity_kg,
        {% if table.quantity -%}
        cast({{ rows }}.{{ table.quantity }} as double)
        {%- else %}cast(null as double){% endif %} as quantity,
        {% if table.amount and table.currency -%}
        case when trim({{ rows }}.{{ table.currency }}) = 'CNY' then cast({{ rows }}.{{ table.amount }} as double) end
        {%- elif table.amount %}cast({{ rows }}.{{ table.amount }} as double)
        {%- else %}cast(null as double){% endif %} as amount_cny
{%- endmacro %}
