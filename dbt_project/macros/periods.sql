{#
    Statistics of the minutes of an air outlet over a longer period, which is valid where at least `minimum_count` of
    its minutes are; totals are of valid periods, from the period's own mean flow. One row: one outlet, factor and
    period.
#}
{% macro air_periods(minutes, factors, period_minutes, minimum_count) %}
with

minutes as (

    select * from {{ minutes }}

),

factors as (

    select * from {{ factors }}

),

periods as (

    select
        outlet_id,
        factor_code,
        {{ floor_to_minutes('period_start_utc', period_minutes) }} as period_start_utc,
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
    from minutes
    group by
        outlet_id,
        factor_code,
        {{ floor_to_minutes('period_start_utc', period_minutes) }},
        plant_date

),

flows as (

    select
        outlet_id,
        period_start_utc,
        avg_value as flow_m3_s
    from periods
    where factor_code = 'a00000' and normal_count >= {{ minimum_count }}

)

select
    periods.outlet_id,
    periods.factor_code,
    periods.period_start_utc,
    periods.plant_date,
    periods.value_count,
    periods.normal_count,
    periods.min_value,
    periods.avg_value,
    periods.max_value,
    periods.converted_min_value,
    periods.converted_avg_value,
    periods.converted_max_value,
    periods.normal_count >= {{ minimum_count }} as is_valid,
    case when periods.normal_count >= {{ minimum_count }} then 'N' else 'D' end as data_flag,
    case
        when periods.normal_count < {{ minimum_count }} then null
        when factors.kind = 'flow' then periods.avg_value * {{ period_minutes }} * 60.0
        when factors.kind = 'concentration'
            then periods.avg_value * flows.flow_m3_s * {{ period_minutes }} * 60.0 * factors.amount_per_m3
    end as cou_value,
    periods._source_ingested_at_utc
from periods
inner join factors on periods.factor_code = factors.factor_code
left join flows
    on periods.outlet_id = flows.outlet_id and periods.period_start_utc = flows.period_start_utc
{% endmacro %}

{#
    Periods shorter than a day of both media, as marts keep them. What the media differ in is given as an expression
    for each: how many values a whole period holds, where its mean comes from and, where it may be weighted, how it
    was taken.
#}
{% macro monitoring_periods(
    air, water, factors, watermark, arrivals, period_s, expected_count, avg_value_method, averaging_code=none
) %}
with

air as (

    select * from {{ air }}
    where {{ touched('plant_date', arrivals, periods=true) }}

),

water as (

    select * from {{ water }}
    where {{ touched('plant_date', arrivals, periods=true) }}

),

factors as (

    select * from {{ factors }}

),

watermark as (

    select * from {{ watermark }}

),

periods as (

    {% for medium in ('air', 'water') %}
    select
        outlet_id,
        factor_code,
        period_start_utc,
        {{ add_seconds('period_start_utc', period_s) }} as period_end_utc,
        plant_date,
        '{{ medium }}' as medium,
        value_count,
        normal_count,
        {{ expected_count[medium] }} as expected_count,
        min_value,
        avg_value,
        max_value,
        {% for column in ('converted_min_value', 'converted_avg_value', 'converted_max_value') %}
        {{ 'null as ' if medium == 'water' }}{{ column }},
        {% endfor %}
        cou_value,
        data_flag,
        is_valid,
        {{ avg_value_method[medium] }} as avg_value_method,
        {% if averaging_code %}
        {{ averaging_code[medium] }} as averaging_code,
        {% endif %}
        _source_ingested_at_utc
    from {{ medium }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

{{ kept_periods(has_averaging=averaging_code is not none) }}
{% endmacro %}

{# The columns of a table of periods, from the CTEs `periods`, `factors` and `watermark` of the query that ends so. #}
{% macro kept_periods(has_averaging) %}
select
    -- ids
    periods.outlet_id,
    periods.factor_code,
    periods.period_start_utc,
    periods.plant_date,
    periods.medium,

    -- values
    factors.unit,
    cast(periods.value_count as integer) as value_count,
    cast(periods.normal_count as integer) as normal_count,
    {{ settled('periods.min_value') }} as min_value,
    {{ settled('periods.avg_value') }} as avg_value,
    {{ settled('periods.max_value') }} as max_value,
    {{ settled('periods.converted_min_value') }} as converted_min_value,
    {{ settled('periods.converted_avg_value') }} as converted_avg_value,
    {{ settled('periods.converted_max_value') }} as converted_max_value,
    {{ settled('periods.cou_value') }} as cou_value,
    factors.amount_unit,

    -- quality
    periods.data_flag,
    periods.is_valid,
    periods.period_end_utc <= watermark.complete_until_utc as is_complete,
    {{ period_quality_code(
        'periods.is_valid', 'periods.value_count', 'periods.normal_count', 'periods.expected_count', 'periods.avg_value'
    ) }} as avg_value_quality_code,
    periods.avg_value_method,
    {% if has_averaging %}
    periods.averaging_code,
    {% endif %}

    -- bookkeeping
    periods._source_ingested_at_utc,
    {{ built_at_utc() }} as _built_at_utc
from periods
inner join factors on periods.factor_code = factors.factor_code
cross join watermark
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
