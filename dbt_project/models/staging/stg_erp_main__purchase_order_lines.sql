with

current_words as (

    {{ current_rows(source('erp_main', 'raw_erp_main__purchase_order_lines'), [
        'purchase_order_id',
        'line_number',
        'material_code',
        'quantity',
        'unit_code',
        'net_price',
        'price_unit_quantity',
        'currency_code',
        'requested_date',
        'delivery_mark_code',
        'deletion_mark_code',
        'updated_at_utc'
    ]) }}

)

select
    trim(current_words.purchase_order_id) as purchase_order_id,
    current_words.line_number,
    cast(current_words.net_price as double) as net_price,
    current_words.price_unit_quantity,
    trim(current_words.currency_code) as currency_code,
    current_words.requested_date,
    coalesce(trim(current_words.delivery_mark_code) = 'X', false) as is_delivery_completed,
    coalesce(trim(current_words.deletion_mark_code) = 'L', false) as is_deleted,
    current_words.updated_at_utc,
    {{ material_columns('current_words') }},
    {{ quantity_columns('current_words', 'quantity') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'erp_main', ref('stg_site_register__code_mappings')) }}
{{ joined_units('current_words', 'erp_main', ref('stg_site_register__code_mappings'), ref('unit_conversions')) }}
