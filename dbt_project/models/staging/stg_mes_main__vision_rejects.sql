with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__vision_rejects'), [
        'reject_id',
        'packing_id',
        'camera_id',
        'container_number',
        'defect_code',
        'confidence_pct',
        'verdict_code',
        'detected_at_utc',
        'updated_at_utc'
    ]) }}

)

select
    current_words.reject_id,
    current_words.packing_id,
    current_words.camera_id,
    current_words.container_number,
    current_words.defect_code,
    cast(current_words.confidence_pct as double) as confidence_pct,
    trim(current_words.verdict_code) as verdict_code,
    current_words.detected_at_utc,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
