with

current_words as (

    {{ current_rows(source('erp_main', 'raw_erp_main__sales_order_lines'), [
        'sales_order_id',
        'line_number',
        'material_code',
        'quantity',
        'unit_code',
        'delivery_status_code',
        'rejection_code',
        'updated_at_utc'
    ]) }}

)

select
    {{ without_leading_zeros('current_words.sales_order_id') }} as sales_order_id,
    current_words.line_number,
    trim(current_words.delivery_status_code) as delivery_status_code,
    coalesce(trim(current_words.rejection_code), '') <> '' as is_rejected,
    current_words.updated_at_utc,
    {{ material_columns('current_words') }},
    {{ quantity_columns('current_words', 'quantity') }},
    current_words._first_extracted_at_utc,
    current_words._extracted_at_utc
from current_words
{{ joined_materials('current_words', 'erp_main', ref('stg_site_register__code_mappings')) }}
{{ joined_units('current_words', 'erp_main', ref('stg_site_register__code_mappings'), ref('unit_conversions')) }}
