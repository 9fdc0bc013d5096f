with

current_words as (

    {{ current_rows(source('lims_main', 'raw_lims_main__results'), [
        'result_id',
        'sample_id',
        'parameter_code',
        'result_value',
        'result_unit_code',
        'method_id',
        'instrument_id',
        'analyst_code',
        'tested_at_utc',
        'status_code',
        'updated_at_utc'
    ]) }}

)

select
    current_words.result_id,
    current_words.sample_id,
    current_words.parameter_code,
    cast(current_words.result_value as double) as result_value,
    trim(current_words.result_unit_code) as result_unit_code,
    current_words.method_id,
    current_words.instrument_id,
    trim(current_words.analyst_code) as analyst_code,
    current_words.tested_at_utc,
    trim(current_words.status_code) as status_code,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
