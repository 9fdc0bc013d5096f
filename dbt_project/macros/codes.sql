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
