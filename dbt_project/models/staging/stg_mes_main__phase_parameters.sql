with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__phase_parameters'), [
        'parameter_record_id',
        'phase_id',
        'parameter_code',
        'parameter_value',
        'lower_limit_value',
        'upper_limit_value',
        'parameter_unit_code',
        'recorded_at_utc',
        'updated_at_utc'
    ]) }}

)

select
    current_words.parameter_record_id,
    current_words.phase_id,
    current_words.parameter_code,
    cast(current_words.parameter_value as double) as parameter_value,
    cast(current_words.lower_limit_value as double) as lower_limit_value,
    cast(current_words.upper_limit_value as double) as upper_limit_value,
    trim(current_words.parameter_unit_code) as parameter_unit_code,
    current_words.recorded_at_utc,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
