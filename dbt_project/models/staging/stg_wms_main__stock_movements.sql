with

current_words as (

    {{ current_rows(source('wms_main', 'raw_wms_main__stock_movements'), [
        'movement_id',
        'movement_type_code',
        'lot_id',
        'destination_lot_id',
        'material_code',
        'quantity',
        'unit_code',
        'reference_id',
        'posted_at_utc',
        'updated_at_utc'
    ]) }}

)

select
    current_words.movement_id,
    current_words.movement_type_code,
    current_words.lot_id,
    current_words.destination_lot_id,
    current_words.reference_id,
    current_words.posted_at_utc,
    current_words.updated_at_utc,
    {{ material_columns('current_words') }},
    {{ quantity_columns('current_words', 'quantity') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'wms_main', ref('stg_site_register__code_mappings')) }}
{{ joined_units('current_words', 'wms_main', ref('stg_site_register__code_mappings'), ref('unit_conversions')) }}
