{#
    Which plant dates an incremental model rebuilds, as a predicate with literal dates: literals reach the scan of the
    Delta table as a partition filter, a subquery would not.

    Touched is a date on which `upstream` is newer than what this model was built from, a date of the variable
    `touched_dates`, and with `periods` a date of which this model holds a period that was not over. Each model compares
    with its own rows, so that a run that failed half-way is made good by the next one.
#}
{% macro touched(column, upstream, upstream_date='plant_date', upstream_version='_source_ingested_at_utc', periods=false) -%}
    {%- if not is_incremental() -%}
        true
    {%- else -%}
        {%- set dates = search_touched_dates(upstream, upstream_date, upstream_version, periods) -%}
        {%- if dates | length == 0 -%}
            false
        {%- else -%}
            {{ column }} in ({% for day in dates %}date '{{ day }}'{{ ', ' if not loop.last }}{% endfor %})
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro search_touched_dates(upstream, upstream_date, upstream_version, periods) -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set query -%}
        with
        arrived as (
            select {{ upstream_date }} as plant_date, max({{ upstream_version }}) as version_at_utc
            from {{ upstream }} group by {{ upstream_date }}
        ),
        built as (
            select plant_date, max(_source_ingested_at_utc) as version_at_utc
            from {{ this }} group by plant_date
        )
        select arrived.plant_date
        from arrived
        left join built on arrived.plant_date = built.plant_date
        where built.plant_date is null or arrived.version_at_utc > built.version_at_utc
        {%- if periods %}
        union
        select plant_date from {{ this }} where not is_complete
        {%- endif %}
        {%- for day in var('touched_dates') or [] %}
        union
        select date '{{ day }}'
        {%- endfor %}
        order by 1
    {%- endset -%}
    {{ return(run_query(query).columns[0].values() | map('string') | list) }}
{%- endmacro %}
