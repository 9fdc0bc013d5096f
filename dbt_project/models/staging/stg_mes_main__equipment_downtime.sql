with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__equipment_downtime'), [
        'downtime_id',
        'equipment_id',
        'started_at_utc',
        'ended_at_utc',
        'downtime_type',
        'cause_code',
        'updated_at_utc'
    ]) }}

)

select
    current_words.downtime_id,
    trim(current_words.equipment_id) as equipment_id,
    current_words.started_at_utc,
    current_words.ended_at_utc,
    current_words.downtime_type,
    trim(current_words.cause_code) as cause_code,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
