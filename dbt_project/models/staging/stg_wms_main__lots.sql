with

current_words as (

    {{ current_rows(source('wms_main', 'raw_wms_main__lots'), [
        'lot_id',
        'material_code',
        'supplier_id',
        'supplier_lot_id',
        'made_date',
        'expiry_date',
        'quantity_on_hand',
        'unit_code',
        'status_code',
        'location_code'
    ]) }}

)

select
    current_words.lot_id,
    {{ without_leading_zeros('current_words.supplier_id') }} as supplier_id,
    current_words.supplier_lot_id,
    current_words.made_date,
    current_words.expiry_date,
    current_words.status_code,
    current_words.location_code,
    {{ material_columns('current_words') }},
    {{ quantity_columns('current_words', 'quantity_on_hand') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'wms_main', ref('stg_site_register__code_mappings')) }}
{{ joined_units('current_words', 'wms_main', ref('stg_site_register__code_mappings'), ref('unit_conversions')) }}
