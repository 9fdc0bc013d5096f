with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__shift_handovers'), [
        'handover_id',
        'area_id',
        'shift_code',
        'from_crew_code',
        'to_crew_code',
        'from_leader_code',
        'to_leader_code',
        'started_at_utc',
        'ended_at_utc',
        'open_item_count',
        'remarks_zh',
        'updated_at_utc'
    ]) }}

)

select
    current_words.handover_id,
    current_words.area_id,
    current_words.shift_code,
    current_words.from_crew_code,
    current_words.to_crew_code,
    trim(current_words.from_leader_code) as from_leader_code,
    trim(current_words.to_leader_code) as to_leader_code,
    current_words.started_at_utc,
    current_words.ended_at_utc,
    current_words.open_item_count,
    current_words.remarks_zh,
    current_words.updated_at_utc,
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
