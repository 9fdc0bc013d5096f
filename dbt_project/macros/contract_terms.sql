{# What the contract of a raw table states as the share of a batch's input that may be missing from its output, in %. #}
{% macro stated_tolerance_pct(table) -%}
    {%- if execute -%}
        {%- for node in graph.sources.values() if node.name == table -%}
            {{ node.config.meta.mass_balance_tolerance_pct }}
        {%- endfor -%}
    {%- else -%} 0.0 {%- endif -%}
{%- endmacro %}
