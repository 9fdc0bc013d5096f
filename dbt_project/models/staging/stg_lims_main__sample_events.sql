with

current_words as (

    {{ current_rows(source('lims_main', 'raw_lims_main__sample_events'), [
        'event_id',
        'sample_id',
        'step_code',
        'done_at_utc',
        'person_code',
        'scanned_code',
        'station_id',
        'updated_at_utc'
    ]) }}

)

select
    current_words.event_id,
    current_words.sample_id,
    current_words.step_code,
    current_words.done_at_utc,
    trim(current_words.person_code) as person_code,
    current_words.scanned_code,
    current_words.station_id,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
