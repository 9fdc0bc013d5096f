{#
    The history of a table kept as a change log: one row for each span of time in which a row's columns stood so
    (slowly changing dimension, type 2).

    A word takes effect at its own change stamp where the source writes one, a deletion when the sweep or the snapshot
    found it. A word that comes later says how things were from its stamp on: what earlier words said of that time is
    superseded, so that a late correction moves the border of two versions and never makes them overlap. Words that
    change none of the columns make no version. After a deletion there is a hole until the row comes again.

    changed_at: the column with the change stamp; none where the source has none (then the time of extraction counts).
#}
{% macro versions_of(relation, columns, changed_at=none) %}
    select
        _row_key,
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        row_number() over (partition by _row_key order by valid_from_at_utc) as version_number,
        valid_from_at_utc,
        valid_to_at_utc,
        valid_to_at_utc is null as is_current,
        _extracted_at_utc
    from (
        select
            changes.*,
            effective_at_utc as valid_from_at_utc,
            lead(effective_at_utc) over (partition by _row_key order by effective_at_utc) as valid_to_at_utc
        from (
            select
                standing.*,
                row_number() over (partition by _row_key order by effective_at_utc) as standing_number,
                lag(_op) over (partition by _row_key order by effective_at_utc) as _op_before
                {%- for column in columns %},
                lag({{ column }}) over (partition by _row_key order by effective_at_utc) as {{ column }}_before
                {%- endfor %}
            from (
                select
                    words.*,
                    min(effective_at_utc) over (
                        partition by _row_key order by word_number
                        rows between 1 following and unbounded following
                    ) as superseded_from_at_utc
                from (
                    select
                        _row_key,
                        _op,
                        {%- for column in columns %}
                        {{ column }},
                        {%- endfor %}
                        _extracted_at_utc,
                        {% if changed_at -%}
                        case
                            when _op = 'upsert' then coalesce({{ changed_at }}, _extracted_at_utc)
                            else _extracted_at_utc
                        end as effective_at_utc,
                        {%- else -%}
                        _extracted_at_utc as effective_at_utc,
                        {%- endif %}
                        row_number() over (
                            partition by _row_key order by _extract_sequence, _source_row nulls first
                        ) as word_number
                    from {{ relation }}
                ) as words
            ) as standing
            where superseded_from_at_utc is null or effective_at_utc < superseded_from_at_utc
        ) as changes
        where
            standing_number = 1
            or _op <> _op_before
            {%- for column in columns %}
            or {{ column }} is distinct from {{ column }}_before
            {%- endfor %}
    ) as versions
    where _op = 'upsert'
{% endmacro %}

{#
    A join's condition: the version of a dimension that held at an instant of the fact. A fact older than what is
    known takes the first version, so that no fact loses its dimension; a fact in a hole (deleted then) finds none.
#}
{% macro is_version_at(versions, at_utc) -%}
({{ versions }}.version_number = 1 or {{ at_utc }} >= {{ versions }}.valid_from_at_utc)
            and ({{ versions }}.valid_to_at_utc is null or {{ at_utc }} < {{ versions }}.valid_to_at_utc)
{%- endmacro %}
