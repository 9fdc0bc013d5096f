with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__packing_records'), [
        'packing_id',
        'batch_id',
        'lot_id',
        'material_code',
        'equipment_id',
        'crew_code',
        'container_code',
        'filled_count',
        'rejected_count',
        'packed_quantity',
        'unit_code',
        'started_at_utc',
        'ended_at_utc',
        'updated_at_utc'
    ]) }}

)

select
    current_words.packing_id,
    current_words.batch_id,
    current_words.lot_id,
    trim(current_words.equipment_id) as equipment_id,
    current_words.crew_code,
    current_words.container_code,
    current_words.filled_count,
    current_words.rejected_count,
    current_words.started_at_utc,
    current_words.ended_at_utc,
    current_words.updated_at_utc,
    {{ material_columns('current_words') }},
    {{ quantity_columns('current_words', 'packed_quantity') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'mes_main', ref('stg_site_register__code_mappings')) }}
{{ joined_units('current_words', 'mes_main', ref('stg_site_register__code_mappings'), ref('unit_conversions')) }}
