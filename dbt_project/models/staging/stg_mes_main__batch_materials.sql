with

current_words as (

    {{ current_rows(source('mes_main', 'raw_mes_main__batch_materials'), [
        'consumption_id',
        'batch_id',
        'lot_id',
        'material_code',
        'quantity',
        'unit_code',
        'charged_at_utc',
        'updated_at_utc'
    ]) }}

)

select
    current_words.consumption_id,
    current_words.batch_id,
    current_words.lot_id,
    current_words.charged_at_utc,
    current_words.updated_at_utc,
    {{ material_columns('current_words') }},
    {{ quantity_columns('current_words', 'quantity') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'mes_main', ref('stg_site_register__code_mappings')) }}
{{ joined_units('current_words', 'mes_main', ref('stg_site_register__code_mappings'), ref('unit_conversions')) }}
