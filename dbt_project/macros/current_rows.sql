{#
    The current state of a table kept as a change log: the latest word on each row, unless it says that the row is gone.
    Words of one extract on the same row (a workbook may hold it twice) stand with their last source row.
#}
{% macro current_rows(relation, columns) %}
    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        _first_extracted_at_utc,
        _extracted_at_utc,
        _word_count
    from (
        select
            {%- for column in columns %}
            {{ column }},
            {%- endfor %}
            _op,
            _extracted_at_utc,
            min(_extracted_at_utc) over (partition by _row_key) as _first_extracted_at_utc,
            count(*) over (partition by _row_key) as _word_count,
            row_number() over (
                partition by _row_key order by _extract_sequence desc, _source_row desc nulls last
            ) as word_rank
        from {{ relation }}
    ) as words
    where word_rank = 1 and _op = 'upsert'
{% endmacro %}
