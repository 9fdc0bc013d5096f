{#
    The current state of a table kept as a change log: the latest word on each row, unless it says that the row is gone.
    A row that was extracted twice in one run (file and row) stands with its last source row.
#}
{% macro current_rows(relation, columns) %}
    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        _extracted_at_utc
    from (
        select
            {%- for column in columns %}
            {{ column }},
            {%- endfor %}
            _extracted_at_utc,
            _op,
            row_number() over (
                partition by _row_key order by _extract_sequence desc, _source_row desc nulls last
            ) as word_rank
        from {{ relation }}
    ) as words
    where word_rank = 1 and _op = 'upsert'
{% endmacro %}
