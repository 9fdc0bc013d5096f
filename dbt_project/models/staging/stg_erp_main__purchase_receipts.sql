with

current_words as (

    {{ current_rows(source('erp_main', 'raw_erp_main__purchase_receipts'), [
        'receipt_id',
        'line_number',
        'movement_type_code',
        'purchase_order_id',
        'purchase_order_line_number',
        'material_code',
        'lot_id',
        'quantity',
        'unit_code',
        'delivery_note_no',
        'reversed_receipt_id',
        'posting_date',
        'updated_at_utc'
    ]) }}

)

select
    trim(current_words.receipt_id) as receipt_id,
    current_words.line_number,
    trim(current_words.movement_type_code) as movement_type_code,
    trim(current_words.purchase_order_id) as purchase_order_id,
    current_words.purchase_order_line_number,
    current_words.lot_id,
    current_words.delivery_note_no,
    nullif(trim(current_words.reversed_receipt_id), '') as reversed_receipt_id,
    current_words.posting_date,
    current_words.updated_at_utc,
    {{ material_columns('current_words') }},
    {{ quantity_columns('current_words', 'quantity') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'erp_main', ref('stg_site_register__code_mappings')) }}
{{ joined_units('current_words', 'erp_main', ref('stg_site_register__code_mappings'), ref('unit_conversions')) }}
