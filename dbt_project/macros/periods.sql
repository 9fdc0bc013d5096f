{#
    Statistics of the minutes of an air outlet over a longer period, grouped by plant day and period start.
    One row: one outlet, factor and period. `cou_value` is left to the caller, who has the period's flow.
#}
{% macro air_period_of_minutes(relation, minutes, minimum_count) %}
    select
        outlet_id,
        factor_code,
        {{ floor_to_minutes('period_start_utc', minutes) }} as period_start_utc,
        plant_date,
        count(*) as value_count,
        sum(case when is_valid then 1 else 0 end) as normal_count,
        min(case when is_valid then min_value end) as min_value,
        {{ exact_mean('case when is_valid then avg_value end') }} as avg_value,
        max(case when is_valid then max_value end) as max_value,
        min(case when is_valid then converted_min_value end) as converted_min_value,
        case
            when count(case when is_valid then converted_avg_value end) >= {{ minimum_count }}
                then {{ exact_mean('case when is_valid then converted_avg_value end') }}
        end as converted_avg_value,
        max(case when is_valid then converted_max_value end) as converted_max_value,
        max(_source_ingested_at_utc) as _source_ingested_at_utc
    from {{ relation }}
    group by
        outlet_id,
        factor_code,
        {{ floor_to_minutes('period_start_utc', minutes) }},
        plant_date
{% endmacro %}

{# Why a period's mean is as it is, for the column beside it. #}
{% macro period_quality_code(is_valid, value_count, normal_count, expected_count, value) -%}
    case
        when {{ value }} is null then 'no_value'
        when not {{ is_valid }} then 'too_few_values'
        when {{ normal_count }} < {{ expected_count }} or {{ normal_count }} < {{ value_count }} then 'partial'
        else 'good'
    end
{%- endmacro %}

{# A statistic as it is kept, to ten decimals. 0.21 over 6 is 0.035, which receivers are told as 0.04; in doubles it is
   0.034999999999999996, which would be told as 0.03: a half must be a half before it is rounded. #}
{% macro settled(value) %}round(cast({{ value }} as double), 10){% endmacro %}
