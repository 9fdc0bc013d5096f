{#
    Sums and means of doubles that say the same whatever the order of the rows. An engine adds up in parallel, in an
    order of its own, and doubles that are added in another order end in other digits; decimals are added as integers.
    Each value counts to ten decimals. What no decimal holds (1e18 and beyond from a broken instrument, infinity, NaN)
    is added beside them as doubles, so that nothing fails and nothing is left out.
#}
{% macro exact_sum(value) -%}
    coalesce(
        {{ sum_of_decimals(value) }} + {{ sum_of_no_decimals(value) }},
        {{ sum_of_decimals(value) }},
        {{ sum_of_no_decimals(value) }}
    )
{%- endmacro %}

{# Spark divides nothing by zero, not even null. #}
{% macro exact_mean(value) %}({{ exact_sum(value) }} / nullif(count({{ value }}), 0)){% endmacro %}

{# The sum so far within a window; for quantities of documents, which a decimal always holds. #}
{% macro exact_running_sum(value, window) %}cast(sum({{ as_decimal(value) }}) over ({{ window }}) as double){% endmacro %}

{% macro sum_of_decimals(value) %}cast(sum({{ as_decimal(value) }}) as double){% endmacro %}

{# By case: Sail names a sum without its casts, so that a plain sum of the value would bear the decimals' name. #}
{% macro sum_of_no_decimals(value) %}sum(case when {{ as_decimal(value) }} is null then {{ value }} end){% endmacro %}

{% macro as_decimal(value) %}try_cast({{ value }} as decimal(28, 10)){% endmacro %}
