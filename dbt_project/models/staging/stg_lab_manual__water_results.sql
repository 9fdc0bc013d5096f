with

current_words as (

    {{ current_rows(source('lab_manual', 'raw_lab_manual__water_results'), [
        'sample_id',
        'factor_code',
        'outlet_id',
        'sampled_at_utc',
        'result_value',
        'unit_code',
        'is_below_detection',
        'result_text',
        'method_no',
        'correction_reason'
    ]) }}

)

select
    current_words.sample_id,
    current_words.factor_code,
    current_words.outlet_id,
    current_words.sampled_at_utc,
    current_words.result_value,
    current_words.unit_code,
    current_words.is_below_detection,
    current_words.result_text,
    current_words.method_no,
    current_words.correction_reason,
    current_words._word_count as word_count,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
