with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__operations'), [
        'operation_id',
        'production_order_id',
        'operation_number',
        'operation_name_zh',
        'equipment_id',
        'crew_code',
        'planned_start_at_utc',
        'planned_end_at_utc',
        'started_at_utc',
        'ended_at_utc',
        'status_code',
        'updated_at_utc'
    ]) }}

)

select
    current_words.operation_id,
    current_words.production_order_id,
    current_words.operation_number,
    current_words.operation_name_zh,
    trim(current_words.equipment_id) as equipment_id,
    current_words.crew_code,
    current_words.planned_start_at_utc,
    current_words.planned_end_at_utc,
    current_words.started_at_utc,
    current_words.ended_at_utc,
    current_words.status_code,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
