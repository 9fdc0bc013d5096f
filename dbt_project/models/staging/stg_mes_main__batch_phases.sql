with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__batch_phases'), [
        'phase_id',
        'batch_id',
        'phase_code',
        'equipment_id',
        'started_at_utc',
        'ended_at_utc',
        'operator_code',
        'updated_at_utc'
    ]) }}

)

select
    current_words.phase_id,
    current_words.batch_id,
    current_words.phase_code,
    trim(current_words.equipment_id) as equipment_id,
    current_words.started_at_utc,
    current_words.ended_at_utc,
    trim(current_words.operator_code) as operator_code,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
