{# The schema is the layer as declared, without a target prefix: one build database serves one site. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
